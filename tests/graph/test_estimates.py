"""What an answer can become: never less than what really comes, and not much more."""

import random
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, get_nullable_type, is_composite_type, is_list_type
from hypothesis import given, settings
from hypothesis import strategies as st

from db.row_counts import MOST_COUNTED, RowCounts
from graph.charges import HEAVY, ITEMS, ROWS, TEXTS
from graph.estimate import estimate
from graph.limits import DocumentChecks, DocumentRefused
from tests.graph.owner_model import SCHEMA, Owner, document, values

CHECKS = DocumentChecks(SCHEMA)
NOTHING = RowCounts(*(0 for _ in RowCounts._fields))
DEMO = NOTHING._replace(
    accounts=3,
    portfolios=6,
    positions=33,
    lots=900,
    transactions=7_074,
    lot_uses=6_000,
    orders=7,
    snapshots=22_081,
    instruments=26,
)


def figures(query: str, rows: RowCounts | None, **variables: Any) -> tuple[int, int]:
    """The cost and the size of a query by these rows, whatever the limits."""
    known = CHECKS._validated(query, None)
    outline = CHECKS._outlined(known, None)
    return estimate(outline, outline.numbers(variables), rows)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_no_answer_has_more_values_than_were_estimated(seed: int) -> None:
    chance = random.Random(seed)
    owner, query = Owner(chance), document(chance)
    cost, _ = figures(query, owner.counts())
    assert values(owner.answer(query)) - 1 <= cost, query
    assert cost <= figures(query, None)[0]


WHOLE_TREE = """query ($first: Int = 500) { me { username
  summary { totalValue unavailable { field } }
  accounts(first: $first) { nodes { name totalValue
    transactions(first: $first) { nodes { id type amount executedAt notes } }
    portfolios(first: $first) { totalCount nodes { id name totalValue performance { timeWeightedReturn }
      positions(first: $first) { edges { cursor node { symbol quantity weight
        lots(first: $first) { nodes { quantity cost } } } } }
      transactions(first: $first) { nodes { id type symbol amount executedAt notes } }
      orders(first: $first) { nodes { id status } }
      performanceHistory(first: $first) { nodes { date totalValue dailyReturn } }
    } } } } } }"""
FREEZE = (
    "{ instruments(first: 24) { nodes { "
    + " ".join(f"a{n}: priceHistory(first: 500) {{ ...Bars }}" for n in range(52))
    + " } } } fragment Bars on PriceBarConnection {"
    " nodes { date open high low close adjustedClose volume } }"
)
PERFORMANCE = "{ me { a: performance { to } b: performance { to } } }"
CONTRIBUTIONS = """{ me { accounts { nodes { portfolios { nodes {
  performance { contributions { gain } } } } } } } }"""


@pytest.mark.parametrize(
    ("query", "by_pages", "by_rows"),
    [
        ("{ me { username } }", 2, 2),
        (
            "{ me { accounts { nodes { portfolios { nodes { positions(first: 500) { nodes {"
            " symbol quantity } } } } } } } }",
            2 + 50 * (2 + 50 * (2 + 500 * 3)),
            # All 33 positions once, below 6 portfolios and 3 accounts.
            2 + 3 * 2 + 6 * 2 + 33 * 3,
        ),
        (
            # Back from the positions to their portfolios: all could lead to the same one.
            "{ me { accounts { nodes { portfolios { nodes { positions { nodes { portfolio { positions {"
            " nodes { symbol } } } } } } } } } } }",
            2 + 50 * (2 + 50 * (2 + 50 * (1 + 1 + 1 + 50 * 2))),
            2 + 3 * 2 + 6 * 2 + 33 * (1 + 1 + 1 + 33 * 2),
        ),
        ("{ instruments(first: 100) { nodes { splits { exDate } } } }", 100 + 100 * 102, 100 + 26 * 102),
        (
            PERFORMANCE,
            1 + 2 * 40_501,
            1 + 2 * (501 + 4 * 22_081),
        ),
        (
            CONTRIBUTIONS,
            2 + 50 * (2 + 50 * (1 + 500 + 4_000 + 200 + 3_000 + 50 * 2)),
            2 + 3 * 2 + 6 * (1 + 500 + 200) + 7 * 22_081 + (33 + 6 * 10) * 2,
        ),
        (FREEZE, 100 + 24 * (1 + 52 * (1 + 500 * 8)), 100 + 24 * (1 + 52 * (1 + 500 * 8))),
    ],
)
def test_an_operation_costs_what_can_come(query: str, by_pages: int, by_rows: int) -> None:
    assert figures(query, None)[0] == by_pages
    assert figures(query, DEMO)[0] == by_rows


def test_the_whole_tree_with_the_largest_pages_is_within_the_limits() -> None:
    with pytest.raises(DocumentRefused) as refused:
        CHECKS.check(WHOLE_TREE)
    assert refused.value.too_large
    found = CHECKS.check(WHOLE_TREE, None, None, DEMO)
    assert found.estimate == figures(WHOLE_TREE, DEMO)
    assert found.estimate.cost < CHECKS.limits.cost / 2
    # For somebody else, whose rows would be too many, it is refused still.
    with pytest.raises(DocumentRefused) as refused:
        CHECKS.check(WHOLE_TREE, None, None, DEMO._replace(portfolios=500, positions=50_000, lots=100_000))
    assert not refused.value.too_large


def test_rows_beyond_those_that_are_counted_bound_nothing() -> None:
    query = "{ me { accounts { nodes { transactions(first: 500) { nodes { id } } } } } }"
    many = NOTHING._replace(accounts=50, transactions=MOST_COUNTED + 1)
    assert figures(query, many)[0] == figures(query, None)[0] == 2 + 50 * (2 + 500 * 2)


@pytest.mark.parametrize("kind", ["mutation", "subscription"])
def test_only_a_query_is_counted_by_rows(kind: str) -> None:
    """What others write for its owner meanwhile, or it itself, is not among them."""
    fields = {
        "mutation": 'logout(input: {refreshToken: "x"}) { userErrors { code } } login(input: {username:'
        ' "a", password: "b"}) { user',
        "subscription": "alerts { alert { portfolio { account { owner",
    }[kind]
    inside = "{ accounts { nodes { portfolios { nodes { positions(first: 500) { nodes { symbol } } } } } } }"
    query = f"{kind} {{ {fields} {inside}"
    query += " }" * (query.count("{") - query.count("}"))
    for rows in (None, NOTHING):
        with pytest.raises(DocumentRefused) as refused:
            CHECKS.check(query, None, None, rows)
        assert not refused.value.too_large
        assert refused.value.errors[0].extensions is not None
        assert refused.value.errors[0].extensions["measure"] == "cost"


def test_long_texts_and_exports_are_counted_by_their_bytes() -> None:
    notes = "{ me { accounts { nodes { transactions(first: 500) { nodes { notes } } } } } }"
    cost, size = figures(notes, DEMO._replace(transactions=20_000))
    assert cost == 2 + 3 * 2 + 1_500 * 2
    assert size // 1_500 == 500 + len('{"notes":,},')
    export = '{ exportTransactions(portfolioId: "x") }'
    assert figures(export, DEMO)[0] == 500 + 3 * 7_074
    assert figures(export, DEMO)[1] // 7_074 == 100


def test_variables_decide_the_pages() -> None:
    query = (
        "query ($n: Int = 7, $ids: [ID!]!) { nodes(ids: $ids) { id } instruments(last: $n) { nodes { id } } }"
    )
    assert figures(query, None, ids=["a"] * 9)[0] == 1 + 9 * 2 + 100 + 7 * 2
    assert figures(query, None, ids=["a"], n=20)[0] == 1 + 2 + 100 + 20 * 2
    assert figures(query, None, ids=[], n=None)[0] == 1 + 2 + 100 + 7 * 2
    assert figures(query, None, ids=["a"] * 9_999, n=10**9)[0] == 1 + 500 * 2 + 100 + 500 * 2


def test_what_is_charged_is_in_the_schema() -> None:
    """A field that was renamed would lose its price; a new list needs a bound, or a place here."""
    fields = {(type_.name, name): field for type_ in objects() for name, field in type_.fields.items()}
    assert {*ITEMS, *TEXTS, *HEAVY} <= set(fields)
    connections = {t.name.removesuffix("Connection") for t in objects() if t.name.endswith("Connection")}
    assert connections - set(ROWS) == {"PriceBar", "User", "SubPeriod", "Payment"}
    assert set(ROWS) - connections == {"WatchedInstrument"}
    lists = {
        place
        for place, field in fields.items()
        if is_list_type(get_nullable_type(field.type)) and is_composite_type(get_named_type(field.type))
    }
    few = {
        (type_, name)
        for type_, name in lists
        if name in ("edges", "nodes", "userErrors", "warnings", "inputs", "metrics")
    }
    assert lists - few == set(ITEMS)


def objects() -> list[GraphQLObjectType]:
    """The object types of the schema, without those of introspection."""
    types = SCHEMA.type_map.values()
    return [t for t in types if isinstance(t, GraphQLObjectType) and not t.name.startswith("__")]
