"""What one document may ask for: figures, refusals, and that a hostile text costs no more than its length."""

import contextlib
import random
from typing import Any

import pytest
import strawberry
from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    GraphQLError,
    get_introspection_query,
    parse,
    validate,
)
from strawberry.types import ExecutionResult

from graph.errors import QueryTooComplex
from graph.limits import CheckedOperation, DocumentChecks, DocumentRefused, KnownDocuments, Limits
from graph.measure import Walk
from graph.server.errors import present
from graph.server.serving import ServedSchema


@strawberry.type
class Transaction:
    amount: str = "1"


@strawberry.type
class TransactionConnection:
    nodes: list[Transaction]


@strawberry.type
class Position:
    symbol: str = "AAPL"
    quantity: str = "1"

    @strawberry.field
    def portfolio(self) -> "Portfolio":
        return Portfolio()


@strawberry.type
class PositionEdge:
    cursor: str
    node: Position


@strawberry.type
class PositionConnection:
    nodes: list[Position]
    edges: list[PositionEdge]
    total_count: int = 0


@strawberry.type
class Portfolio:
    name: str = "Growth"

    @strawberry.field
    def positions(self, first: int | None = None, last: int | None = None) -> PositionConnection:
        return PositionConnection(nodes=[], edges=[])

    @strawberry.field
    def transactions(self, first: int | None = None, last: int | None = None) -> TransactionConnection:
        return TransactionConnection(nodes=[])


@strawberry.type
class PortfolioConnection:
    nodes: list[Portfolio]


@strawberry.type
class Account:
    name: str = "Savings"

    @strawberry.field
    def portfolios(self, first: int | None = None) -> PortfolioConnection:
        return PortfolioConnection(nodes=[])


@strawberry.type
class AccountConnection:
    nodes: list[Account]


@strawberry.type
class User:
    username: str = "viewer"

    @strawberry.field
    def friend(self) -> "User":
        return User()

    @strawberry.field
    def watched(self) -> list[Position]:
        return []

    @strawberry.field
    def accounts(self, first: int | None = None) -> AccountConnection:
        return AccountConnection(nodes=[])


@strawberry.type
class Query:
    @strawberry.field
    def me(self) -> User:
        return User()

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[User]:
        return []


schema = strawberry.Schema(query=Query)
TREE = """
query Tree($first: Int = 50, $latest: Int!) {
  me { username accounts(first: $first) { nodes { name portfolios { nodes { name
    positions(first: $first) { totalCount edges { cursor node { symbol quantity } } }
    transactions(last: $latest) { nodes { amount } }
  } } } } }
}
"""


ROOMY = Limits(cost=5_000_000, size=10**9)


def served(limits: Limits = ROOMY) -> ServedSchema:
    return ServedSchema.around(schema, limits)


def run(query: str, variables: dict[str, Any] | None = None) -> ExecutionResult:
    return served().execute_sync(query, variables)


def cost(query: str, variables: dict[str, Any] | None = None) -> dict[str, int]:
    return DocumentChecks(schema._schema, ROOMY).check(query, variables).report()


def domain_error(query: str, variables: dict[str, Any] | None = None) -> GraphQLError:
    with pytest.raises(DocumentRefused) as refused:
        DocumentChecks(schema._schema).check(query, variables)
    return refused.value.errors[0]


def test_a_tree_is_counted_by_its_pages() -> None:
    report = cost(TREE, {"latest": 20})
    # An edge has itself, its cursor, its node and two fields of that; a transaction itself and its amount; a
    # total is twenty.
    portfolio = 2 + (1 + 20 + 50 * 5) + (1 + 20 * 2)
    account = 2 + 1 + 50 * portfolio
    assert report["cost"] == 2 + 1 + 50 * account
    assert (report["depth"], report["fields"], report["rootFields"]) == (9, 18, 1)
    assert cost(TREE, {"latest": 21})["cost"] == report["cost"] + 50 * 50 * 2
    assert cost(TREE, {"latest": 20, "first": 1})["cost"] == 2 + 1 + 2 + 1 + 50 * (2 + 21 + 5 + 41)


@pytest.mark.parametrize(
    ("argument", "page"),
    [
        ("", 50),
        ("(first: null)", 50),
        ("(first: 7)", 7),
        ("(first: 7, last: 9)", 9),
        ("(first: 0)", 1),
        ("(first: -1)", 1),
        ("(first: 10000)", 500),
        ("(first: 2147483647)", 500),
    ],
)
def test_a_page_of_any_size_has_a_cost(argument: str, page: int) -> None:
    positions = f"positions{argument} {{ nodes {{ symbol }} }}"
    query = f"{{ me {{ accounts {{ nodes {{ portfolios(first: 1) {{ nodes {{ {positions} }} }} }} }} }} }}"
    assert cost(query)["cost"] == 1 + 1 + 50 * (1 + 1 + (1 + (1 + page * 2)))


@pytest.mark.parametrize("value", [True, "7", 7.5, [], {}, None])
def test_a_variable_of_another_kind_does_not_upset_the_count(value: object) -> None:
    checked = DocumentChecks(schema._schema, ROOMY).check(TREE, {"first": value, "latest": value})
    assert checked.estimate.cost > 0


def test_a_number_of_ten_thousand_digits_does_not_upset_the_count() -> None:
    query = "{ me { accounts(first: %s) { nodes { name } } } }" % ("9" * 10_000)
    with pytest.raises(DocumentRefused, match="Expected value of type 'Int'"):
        DocumentChecks(schema._schema).check(query)


def test_lists_are_counted_by_their_ids_or_as_ten() -> None:
    assert cost('{ nodes(ids: ["a", "b", "c"]) { username } }')["cost"] == 1 + 3 * 2
    assert (
        cost("query ($ids: [ID!]!) { nodes(ids: $ids) { username } }", {"ids": ["a"] * 9})["cost"]
        == 1 + 9 * 2
    )
    assert cost("{ me { watched { symbol } } }")["cost"] == 1 + 1 + 10 * 2


def test_fragments_count_wherever_they_are_spread() -> None:
    plain = cost(
        "{ me { accounts(first: 3) { nodes { name } } } other: me { accounts(first: 4) { nodes { name } } } }"
    )
    spread = cost(
        "{ me { accounts(first: 3) { ...A } } other: me { accounts(first: 4) { ...A } } }"
        " fragment A on AccountConnection { ... on AccountConnection { nodes { ...N } } }"
        " fragment N on Account { name }"
    )
    assert plain == spread
    assert plain["cost"] == (1 + 1 + 3 * 2) + (1 + 1 + 4 * 2)
    assert (plain["aliases"], plain["rootFields"]) == (1, 2)


@pytest.mark.parametrize(
    ("query", "measure", "figure", "limit"),
    [
        ("{ me { " + "friend { " * 20 + "username" + " }" * 22, "depth", 22, 20),
        ("{ me { " + "username " * 601 + "} }", "fields", 602, 600),
        ("{ me { " + " ".join(f"a{n}: username" for n in range(101)) + " } }", "aliases", 101, 100),
        ("{ me { username " + "@include(if: true) " * 101 + "} }", "directives", 101, 100),
        ("{" + " ".join(f"a{n}: me {{ username }}" for n in range(21)) + "}", "root fields", 21, 20),
        (
            "{ me { username } } " + " ".join(f"fragment F{n} on User {{ }}" for n in range(100)),
            "number of definitions",
            101,
            100,
        ),
        ("{ me { " + "username " * 71 + "} }", "repeats", 71 * 71, 5_000),
        (
            "{ me { accounts(first: 500) { nodes { portfolios(first: 500) { nodes { positions(first: 500)"
            " { nodes { symbol } } } } } } } }",
            "cost",
            2 + 500 * (2 + 500 * (2 + 500 * 2)),
            500_000,
        ),
        ("{ __schema { types { " + "ofType { " * 20 + "name" + " }" * 23, "introspection depth", 23, 20),
        (
            "{ __schema { types { fields { args { type { fields { args { name } } } } } } } }",
            "introspection cost",
            1 + 1 + 100 * (1 + 1 + 10 * (1 + 1 + 10 * (1 + 1 + 1 + 10 * (1 + 1 + 10 * 2)))),
            1_000_000,
        ),
    ],
)
def test_each_limit_is_refused_with_its_figure(query: str, measure: str, figure: int, limit: int) -> None:
    error = domain_error(query)
    assert isinstance(error, QueryTooComplex)
    assert error.message == f"The document is too complex: its {measure} is {figure}, the limit is {limit}."
    assert error.extensions == {
        "code": "QUERY_TOO_COMPLEX",
        "measure": measure,
        "figure": figure,
        "limit": limit,
    }


def test_the_explorers_introspection_passes_once() -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    report = cost(query)
    assert report["cost"] == 0
    assert 0 < report["introspectionCost"] < 1_000_000
    body = query[query.index("{") :]
    twice = body[: body.index("__schema")] + "again: __schema { ...Again } " + body[body.index("__schema") :]
    twice += " fragment Again on __Schema { types { ...FullType } directives { args { ...InputValue } } }"
    assert isinstance(domain_error("query Twice " + twice), QueryTooComplex)


def test_an_operation_that_will_not_run_is_bounded_too() -> None:
    deep = "{ me { " + "friend { " * 20 + "username" + " }" * 22
    error = domain_error("query A { me { username } } query B " + deep)
    assert error.message == "The document is too complex: its depth is 22, the limit is 20."
    unused = "{ me { username } } fragment F on User { " + "friend { " * 20 + "username" + " }" * 21
    assert domain_error(unused).message == "The document is too complex: its depth is 21, the limit is 20."


@pytest.mark.parametrize(
    "query",
    [
        "{ me { ...F } } fragment F on User { friend { ...F } }",
        "{ me { ...F } } fragment F on User { ...G } fragment G on User { ...F }",
        "{ me { ...F } } fragment F on User { ...F username }",
    ],
)
def test_a_cycle_is_an_error_of_validation(query: str) -> None:
    error = domain_error(query)
    assert error.message.startswith("Cannot spread fragment 'F' within itself")
    assert not isinstance(error, QueryTooComplex)


def test_validation_gives_few_errors_and_no_suggestions() -> None:
    errors = run("{ " + " ".join(f"a{n}: mee" for n in range(20)) + " }").errors or []
    assert [error.message for error in errors] == [
        *["Cannot query field 'mee' on type 'Query'."] * 5,
        "Too many validation errors, error limit reached. Validation aborted.",
    ]


def test_a_valid_document_is_parsed_and_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = served()
    validated: list[object] = []

    def counting(*arguments: Any, **settings: Any) -> list[GraphQLError]:
        validated.append(arguments)
        return validate(*arguments, **settings)

    monkeypatch.setattr("graph.limits.validate", counting)
    costs = [wrapped.checks.check(TREE, {"latest": n}).estimate.cost for n in (20, 20, 21, 20)]
    assert len(validated) == 1
    assert wrapped.documents.hits == 3
    assert [cost - costs[0] for cost in costs] == [0, 0, 5_000, 0]
    assert wrapped.execute_sync(TREE, {"latest": 20}).errors is None
    with pytest.raises(DocumentRefused) as refused:
        wrapped.checks.check(TREE, {"latest": 500, "first": 500})
    assert [type(error) for error in refused.value.errors] == [QueryTooComplex]
    assert len(validated) == 1
    for _ in range(2):
        assert wrapped.execute_sync("{ nothing }").errors
    assert len(validated) == 3


def test_a_document_is_checked_without_running_it() -> None:
    checks = DocumentChecks(schema._schema, ROOMY)
    checked = checks.check(TREE, {"latest": 1})
    assert isinstance(checked, CheckedOperation)
    assert checked.report() == cost(TREE, {"latest": 1})
    again = checks.check(TREE, {"latest": 1, "other": 5}, "Tree")
    assert again.document is checked.document
    assert again.estimate is checked.estimate
    several = "query A { me { username } } query B { me { username other: username } }"
    assert [checks.check(several, None, name).measure.fields for name in ("A", "B")] == [2, 3]
    for text, name, message in (
        ("{ me {", None, "Syntax Error: Expected Name, found <EOF>."),
        ("{ mee }", None, "Cannot query field 'mee' on type 'Query'."),
        (several, None, "The document has several operations: name the one to run."),
        (several, "C", "The document has no operation of that name."),
        ("{" * 5_000, None, "Syntax Error: Expected Name, found '{'."),
    ):
        with pytest.raises(DocumentRefused) as refused:
            checks.check(text, None, name)
        assert [error.message for error in refused.value.errors] == [message]
        assert not refused.value.too_large


def test_what_is_kept_is_bounded() -> None:
    wrapped = served()
    wrapped.documents.most = 10
    for number in range(30):
        assert wrapped.execute_sync(f"{{ a{number}: me {{ username }} }}").errors is None
    assert len(wrapped.documents._kept) == 10
    assert wrapped.documents.characters == sum(map(len, wrapped.documents._kept))
    assert wrapped.documents.find("{ a29: me { username } }") is not None
    assert wrapped.documents.find("{ a19: me { username } }") is None
    long = "{ me { username } } #" + "x" * 600_000
    assert wrapped.execute_sync(long).errors is None
    assert wrapped.documents.find(long) is None


def test_a_schema_that_is_served_stays_as_it_was() -> None:
    assert served().extensions != schema.extensions
    assert schema.extensions == ()
    assert schema.execute_sync("{ me { username } }").extensions == {}
    assert isinstance(served().documents, KnownDocuments)


def bomb(chance: random.Random) -> str:
    """Fragments that spread the next one several times: exponential where they are expanded."""
    length, times = chance.randint(12, 40), chance.randint(2, 5)
    fragments = [
        f"fragment F{n} on User {{ {' '.join([f'a{k}: friend {{ ...F{n + 1} }}' for k in range(times)])} }}"
        if chance.random() < 0.7
        else f"fragment F{n} on User {{ {' '.join([f'...F{n + 1}'] * times)} username }}"
        for n in range(length)
    ]
    chance.shuffle(fragments)
    return f"{{ me {{ ...F0 }} }} {' '.join(fragments)} fragment F{length} on User {{ username }}"


def chain(chance: random.Random) -> str:
    """A long chain of fragments, each of them harmless."""
    length = chance.randint(101, 200)
    fragments = [f"fragment F{n} on User {{ ...F{n + 1} }}" for n in range(length)]
    return f"{{ me {{ ...F0 }} }} {' '.join(fragments)} fragment F{length} on User {{ username }}"


def hostile(number: int) -> str:
    """One hostile document of ten kinds, the same for the same number."""
    chance = random.Random(number)
    many = chance.randint(110, 200)
    match number % 10:
        case 0:
            return bomb(chance)
        case 1:
            return chain(chance)
        case 2:
            return "{ me { " + "friend { " * many + "username" + " }" * (many + 2)
        case 3:
            return "{ me { " + " ".join(f"a{n}: username" for n in range(many)) + " } }"
        case 4:
            return "{" + " ".join(f"a{n}: me {{ username }}" for n in range(many)) + "}"
        case 5:
            return "{ me { " + "friend { username } " * many + "} }"
        case 6:
            pages = "".join(
                f"{field}(first: {chance.randint(300, 10**9)}) {{ nodes {{ "
                for field in ("accounts", "portfolios", "positions")
            )
            return "{ me { " + pages + "symbol" + " }" * 8
        case 7:
            lists = chance.choice(
                ["fields { type {", "possibleTypes { fields { type {", "interfaces { fields { args { type {"]
            )
            times = chance.randint(3, 8)
            return (
                "{ __schema { types { " + f"{lists} " * times + "name" + " }" * (lists.count("{") * times + 3)
            )
        case 8:
            return "{ me { username" + " @include(if: true) @skip(if: false)" * many + " } }"
        case _:
            cycle = chance.randint(1, 50)
            spreads = " ".join(
                f"fragment F{n} on User {{ friend {{ ...F{(n + 1) % cycle} }} }}" for n in range(cycle)
            )
            return f"{{ me {{ ...F0 }} }} {spreads}"


def written(document: DocumentNode) -> int:
    """Count the selections that stand in a text."""
    count = 0
    waiting = [d.selection_set for d in document.definitions if isinstance(d, ExecutableDefinitionNode)]
    while waiting:
        for selection in waiting.pop().selections:
            count += 1
            nested = getattr(selection, "selection_set", None)
            if nested is not None:
                waiting.append(nested)
    return count


def test_five_hundred_hostile_documents_are_refused_in_linear_steps() -> None:
    limits = Limits()
    checks = DocumentChecks(schema._schema, limits)
    codes: dict[int, set[str]] = {}
    for number in range(500):
        query = hostile(number)
        with contextlib.suppress(GraphQLError):
            document = parse(query, max_lexical_tokens=limits.tokens)
            walk = Walk(schema._schema, document)
            assert walk.visits == written(document) or (walk.too_nested and walk.visits < written(document))
        with pytest.raises(DocumentRefused) as refused:
            checks.check(query)
        (shown,) = present(refused.value.errors[:1], "request-1")
        codes.setdefault(number % 10, set()).add(shown["extensions"]["code"])
    # A cycle, and introspection through several lists, are errors of validation where they are small.
    both = {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}
    assert codes == {kind: both if kind in (7, 9) else {"QUERY_TOO_COMPLEX"} for kind in range(10)}


@pytest.mark.parametrize("number", [number for number in range(50) if number % 10 != 6])
def test_hostile_documents_are_refused_by_the_schema_as_it_is_served(number: int) -> None:
    wrapped = served()
    result = wrapped.execute_sync(hostile(number))
    assert result.data is None
    assert result.errors
    assert wrapped.documents.characters == 0
