"""What parsing leaves: the document, and nothing that only the garbage collector can remove."""

import gc

import pytest
from graphql import GraphQLSyntaxError, parse

from graph.parsing import parse_document

TEXT = "query($n: Int = 3) { a(first: $n) @include(if: true) { ...F } } fragment F on A { b c(d: {e: [1]}) }"


def test_it_is_the_same_document() -> None:
    assert parse_document(TEXT) == parse(TEXT)
    node = parse_document(TEXT).definitions[1].loc
    assert node is not None
    assert (node.start, node.start_token.value, node.source.body) == (64, "fragment", TEXT)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (TEXT, {"max_lexical_tokens": 9}, "Document contains more than 9 tokens"),
        (TEXT[:-1], {}, "Expected Name, found <EOF>"),
        ('{ a(b: "c) }', {}, "Unterminated string"),
    ],
)
def test_nothing_is_left_of_what_is_wrong(text: str, options: dict[str, int], message: str) -> None:
    def refuse() -> None:
        with pytest.raises(GraphQLSyntaxError, match=message):
            parse_document(text, **options)

    refuse()
    gc.collect()
    gc.disable()
    try:
        refuse()
        before = len(gc.get_objects())
        parse_document(TEXT)
        assert len(gc.get_objects()) == before
    finally:
        gc.enable()
