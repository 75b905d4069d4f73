"""Filters with their totals, empty lists, and cursors that are none of the list's."""

import base64
import datetime as dt
import json
from collections.abc import Callable

import pytest

from db.ids import uuid7
from graph.ids import global_id
from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio
from tests.graph.lists import LISTS, Filled, Listed, fill
from tests.graph.stored import Stored, row_id


@pytest.fixture(scope="module")
def filled(stored: Stored, register: Callable[[], Api]) -> Filled:
    return fill(stored, register())


def by_name(name: str) -> Listed:
    """The list of this name."""
    return next(listed for listed in LISTS if listed.name == name)


@pytest.mark.parametrize(
    ("name", "arguments", "condition", "total"),
    [
        ("User.accounts", "isActive: true", "is_active", 7),
        ("User.accounts", "isActive: false", "NOT is_active", 3),
        ("User.accounts", "isActive: null", "true", 10),
        ("Account.portfolios", "isActive: false", "NOT is_active", 2),
        ("User.alerts", "minSeverity: CRITICAL", "severity = 'CRITICAL'", 3),
        ("User.alerts", "acknowledged: true", "acknowledged_at IS NOT NULL", 2),
        ("User.alerts", "acknowledged: false", "acknowledged_at IS NULL", 8),
        ("User.alerts", "acknowledged: false, minSeverity: INFO", "acknowledged_at IS NULL", 8),
        ("Portfolio.transactions", "filter: { types: [DIVIDEND, FEE] }", "type = 'DIVIDEND'", 5),
        ("Portfolio.transactions", "filter: { types: [BUY] }", "false", 0),
        ("Portfolio.transactions", 'filter: { symbols: ["A30", "B10"] }', "instrument_id IS NOT NULL", 5),
        ("Portfolio.transactions", 'filter: { symbols: ["a30"] }', "false", 0),
        ("Portfolio.transactions", 'filter: { symbols: ["A30"], types: [INTEREST] }', "false", 0),
        ("Portfolio.orders", "filter: { statuses: [FILLED] }", "status = 'FILLED'", 4),
        ("Portfolio.transactions", "filter: { types: [], symbols: null }", "false", 0),
        ("Portfolio.transactions", "filter: {}", "true", 10),
        ("Portfolio.transactions", "filter: null", "true", 10),
        (
            "Account.transactions",
            'filter: { from: "2024-05-31", to: "2024-05-31" }',
            "executed_at BETWEEN '2024-05-31T04:00Z' AND '2024-06-01T03:59Z'",
            10,
        ),
        ("Account.transactions", 'filter: { from: "2024-06-01" }', "false", 0),
        ("Account.transactions", 'filter: { to: "2024-05-30" }', "false", 0),
        ("Account.transactions", 'filter: { to: "0001-01-01" }', "false", 0),
        ("Account.transactions", 'filter: { from: "0001-01-01", to: "9999-12-31" }', "true", 10),
        ("Portfolio.orders", 'filter: { symbols: ["A30"], from: "2024-05-31" }', "true", 10),
        ("Portfolio.orders", 'filter: { symbols: ["B10"] }', "false", 0),
        ("Portfolio.orders", 'filter: { to: "2024-05-30" }', "false", 0),
        (
            "Portfolio.performanceHistory",
            'from: "2024-01-04", to: "2024-01-06"',
            "date BETWEEN '2024-01-04' AND '2024-01-06'",
            3,
        ),
        ("Portfolio.performanceHistory", 'from: "2024-01-11"', "date = '2024-01-11'", 1),
        ("Portfolio.performanceHistory", 'from: "2024-02-01", to: "2024-01-01"', "false", 0),
        ("Instrument.priceHistory", 'to: "2024-01-05"', "date <= '2024-01-05'", 2),
        ("Query.instruments", 'search: "a"', "true", 10),
        ("Query.instruments", 'search: "b."', "symbol LIKE 'B.%'", 4),
        ("Query.instruments", 'search: "NAME OF 1"', "name IN ('Name of 1', 'Name of 10')", 2),
        ("Query.instruments", 'search: "%"', "false", 0),
        ("Query.instruments", 'search: "_"', "false", 0),
        ("Query.instruments", 'search: ""', "true", 10),
    ],
)
def test_filters(filled: Filled, name: str, arguments: str, condition: str, total: int) -> None:
    listed = by_name(name)
    if " WHERE " in listed.expected:
        sql = listed.expected.replace(" WHERE ", f" WHERE {condition} AND ")
    else:
        sql = listed.expected.replace(" ORDER BY", f" WHERE {condition} ORDER BY")
    expected = filled.expected(Listed(listed.parent, listed.field, sql, listed.key))
    assert len(expected) == total
    found = filled.ask(listed, arguments, f"totalCount nodes {{ {listed.key} }} pageInfo {{ endCursor }}")
    texts = [node[listed.key] for node in found["nodes"]]
    assert found["totalCount"] == total
    assert [str(row_id(text)) if listed.key == "id" else text for text in texts] == expected
    if total > 1:
        first = filled.ask(
            listed, f"first: 1, {arguments}", "totalCount nodes { __typename } pageInfo { endCursor }"
        )
        assert (first["totalCount"], len(first["nodes"])) == (total, 1)
        rest = filled.ask(
            listed,
            f"after: $after, {arguments}",
            f"totalCount nodes {{ {listed.key} }}",
            after=first["pageInfo"]["endCursor"],
        )
        assert rest == {"totalCount": total, "nodes": found["nodes"][1:]}


@pytest.mark.parametrize("kind", ["accountIds", "portfolioIds"])
def test_transactions_of_places(filled: Filled, register: Callable[[], Api], kind: str) -> None:
    """Of those that are named; somebody else's, nobody's and one of another type are like none."""
    type_name = "Account" if kind == "accountIds" else "Portfolio"
    own, user = global_id(type_name, filled.parents[type_name]), filled.api.user_id
    for parent in ("Account", "Portfolio"):
        listed = by_name(f"{parent}.transactions")
        for ids, total in (([own], 10), ([own, user], 10), ([user], 0), ([], 0)):
            texts = ", ".join(f'"{id}"' for id in ids)
            assert filled.ask(listed, f"filter: {{ {kind}: [{texts}] }}", "totalCount") == {
                "totalCount": total
            }
        assert filled.codes(listed, f'filter: {{ {kind}: ["Portfolio:1"] }}') == ["BAD_USER_INPUT"]


def test_a_filter_has_an_end(filled: Filled) -> None:
    for listed in (by_name("Portfolio.transactions"), by_name("Portfolio.orders")):
        for count, codes in ((500, []), (501, ["BAD_USER_INPUT"])):
            symbols = ", ".join(['"A30"'] * count)
            assert filled.codes(listed, f"filter: {{ symbols: [{symbols}] }}") == codes


def test_empty_lists(filled: Filled, register: Callable[[], Api]) -> None:
    api = register()
    connection = """totalCount nodes { id } edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"""
    nothing = {
        "totalCount": 0,
        "nodes": [],
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }
    of_the_user = ["accounts", "watchlists", "alerts", "alertRules", "apiKeys"]
    for ends in ("", "(first: 3)", "(last: 3)"):
        for field in of_the_user:
            assert api.data(f"{{ me {{ {field}{ends} {{ {connection} }} }} }}") == {"me": {field: nothing}}
    portfolio_id = open_portfolio(api, open_account(api))
    for field in ("positions", "transactions", "orders", "performanceHistory", "rebalances"):
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on Portfolio {{ {field} {{ {connection} }} }} }} }}"
        assert api.data(query, id=portfolio_id) == {"node": {field: nothing}}


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode()


_KEYS: dict[str, list[object]] = {
    "users": [str(uuid7())],
    "instruments": ["A30"],
    "bars": ["2024-01-05"],
    "alerts": ["4"],
    "transactions": ["2024-05-31T20:00:00.000000Z", str(uuid7())],
}
_AWRY: list[object] = [
    None,
    4,
    4.5,
    True,
    [],
    {},
    "",
    "\x00",
    "nothing",
    "9" * 30,
    "-1",
    "4.0",
    " 4",
    "0001-01-01T00:00:00+23:59",
    "2024-05-31T20:00:00",
    "20240105",
    "9999-99-99",
    "x" * 10_000,
]


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.name)
def test_cursors_of_nothing(filled: Filled, listed: Listed) -> None:
    cursor = filled.ask(listed, "first: 1", "pageInfo { endCursor }")["pageInfo"]["endCursor"]
    name, *keys = json.loads(base64.urlsafe_b64decode(cursor))
    foreign = [_cursor(other, *values) for other, values in _KEYS.items() if other != name]
    awry = [
        _cursor(name, *keys[:place], value, *keys[place + 1 :])
        for place in range(len(keys))
        for value in _AWRY
        # A symbol may be any text but one with U+0000, and one of these could be the number of an alert or
        # of a leg.
        if not (listed.field in ("instruments", "positions") and _is_text(value))
        and not (listed.field in ("alerts", "legs") and value == "20240105")
    ]
    garbage = [
        "",
        "x",
        "é",
        "\x00",
        "====",
        cursor[:-4],
        cursor + "A",
        cursor.rstrip("=") + "\n",
        "a" * 50_000,
    ]
    shapes = [_cursor(), _cursor(name), _cursor(name, *keys, "1"), _cursor([name, *keys]), "e30=", "bnVsbA=="]
    for bad in {*foreign, *awry, *garbage, *shapes} - {cursor}:
        assert filled.codes(listed, "after: $after", after=bad) == ["BAD_USER_INPUT"], bad[:200]
    assert filled.codes(listed, "before: $before", before="nothing") == ["BAD_USER_INPUT"]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\x00" not in value


def test_a_cursor_outlives_its_row(filled: Filled) -> None:
    listed = by_name("Portfolio.performanceHistory")
    cursor = _cursor("performance", "2023-06-01")
    assert filled.ask(listed, "after: $after, first: 1", "nodes { date }", after=cursor) == {
        "nodes": [{"date": str(dt.date(2024, 1, 2))}]
    }
