"""Parse a document and leave no garbage that only the garbage collector can remove.

graphql-core links the tokens of a text both ways, a circle for each of them. Refused documents left a
thousand such objects each, and a collection of all generations, which stops everything, took 0.1 to 0.4 s.
"""

from typing import Any

from graphql import DocumentNode, Token
from graphql.language.parser import Parser, nested_too_deeply_error


def parse_document(text: str, **options: Any) -> DocumentNode:
    """Return the document of a text as `graphql.parse` does. Raise GraphQLSyntaxError.

    Its tokens are linked forward only.
    """
    parser = Parser(text, **options)
    try:
        return parser.parse_document()
    except RecursionError:
        pass
    finally:
        _unlink(parser._lexer.token)
    # Outside the handler, so that the error does not hold on to a thousand frames.
    raise nested_too_deeply_error(parser)


def _unlink(token: Token | None) -> None:
    while token is not None:
        token.prev, token = None, token.prev
