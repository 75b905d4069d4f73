"""Compiled answers are those of the resolvers, byte for byte, whatever is asked and whatever is stored."""

import asyncio
import base64
import json
import random
import re
import secrets
from decimal import Decimal
from typing import Any

import pytest

from graph.readable import READABLE
from graph.schema import build_schema
from tests.graph.compiler.both import Both, Response
from tests.graph.compiler.documents import Document, Pool
from tests.graph.ownership.people import Person

SCHEMA = build_schema()._schema
SEED = secrets.randbelow(10**9)

_SAMPLES = """{ me { id
  accounts { edges { cursor node { id transactions { edges { cursor } } portfolios { edges { cursor node { id
    positions { edges { cursor node { id symbol lots { edges { cursor } } } } }
    transactions { edges { cursor node { id } } } orders { edges { cursor node { id } } }
    performanceHistory { edges { cursor node { id } } } rebalances { edges { cursor node { id } } }
    } } } } } }
  watchlists { edges { cursor node { id } } } alerts { edges { cursor node { id } } }
  alertRules { edges { cursor node { id } } } notificationDestinations { edges { cursor node { id } } }
  imports { edges { cursor node { id } } } apiKeys { edges { cursor node { id } } }
  auditLog { edges { cursor node { id } } } }
  instruments { edges { cursor node { id symbol } } } }"""


@pytest.fixture(scope="module")
async def pool(both: Both, person: Person) -> Pool:
    compiled, resolved = await both.ask(person.token, _SAMPLES)
    assert compiled.comparable == resolved.comparable
    body = compiled.body.decode()
    assert '"errors"' not in body
    cursors: dict[str, list[str]] = {}
    lists = json.loads(body)["data"]
    for name, cursor in _cursors(lists):
        cursors.setdefault(name, []).append(cursor)
    ids = sorted(set(re.findall(r'"id":"([^"]+)"', body)))
    symbols = sorted(set(re.findall(r'"symbol":"([^"]+)"', body)))
    closed = person.ids["Position"]
    return Pool([*ids, *person.ids.values(), closed], cursors, [*symbols, "É", "none", "aapl"])


def _cursors(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Every cursor in an answer, with the name of the field that it is a cursor of."""
    if isinstance(value, list):
        return [each for item in value for each in _cursors(item, name)]
    if not isinstance(value, dict):
        return []
    found = [(name, value["cursor"])] if "cursor" in value else []
    for key, item in value.items():
        found += _cursors(item, name if key in ("edges", "node") else key)
    return found


def _computed(type_name: str, field: str) -> bool:
    return type_name in READABLE and field in READABLE[type_name].computed


def _same(compiled: Response, resolved: Response, where: str) -> None:
    """Fail, with the place where they begin to differ, unless two answers are the same."""
    assert compiled.status == resolved.status, where
    one, other = compiled.comparable, resolved.comparable
    if one != other:
        start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        part = slice(max(0, start - 150), start + 150)
        raise AssertionError(f"{one[part]!r}\n{other[part]!r}\n{where}")


async def _compare(both: Both, person: Person, pool: Pool, seed: int, number: int) -> dict[str, int]:
    """Compare so many random documents; return what became of them."""
    found = {"errors": 0, "compiled": 0}
    for each in range(number):
        document = Document(random.Random(f"{seed} {each}"), SCHEMA, pool, _computed)
        query = document.text(document.random.randint(1, 5))
        compiled, resolved = await both.ask(person.token, query, document.variables)
        where = f"document {each} of seed {seed}: {query} {json.dumps(document.variables)}"
        _same(compiled, resolved, where)
        found["errors"] += b'"errors"' in resolved.body
        if b'"errors"' not in resolved.body and document.is_found(resolved.body):
            left = await both.left(person.owner_id, query, document.variables)
            # The resolvers never look at the arguments of what is below an empty list.
            assert left is None or left.startswith("an argument has a wrong value"), where
            found["compiled"] += left is None
    return found


async def test_random_documents(both: Both, person: Person, pool: Pool) -> None:
    found = await _compare(both, person, pool, SEED, 120)
    assert found["compiled"] > 50, found
    assert found["errors"] > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_thousands_of_random_documents(both: Both, person: Person, pool: Pool) -> None:
    for seed in range(20):
        await _compare(both, person, pool, SEED + seed, 500)


PAGED = "query Q($f: Int, $a: String, $l: Int, $b: String) { me { accounts(%s) { nodes { id } } } }"
ID = "query($id: ID!) { node(id: $id) { __typename id } }"
IDS = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Account { name } } }"
ORDERS = """query($f: OrderFilter) { me { accounts { nodes { portfolios { nodes {
  orders(filter: $f) { %s } } } } } } }"""
WRONG: list[tuple[str, dict[str, Any]]] = [
    *((PAGED % "first: $f, after: $a", {"a": a}) for a in ("", "x", "WyJhY2NvdW50cyIsIngiXQ==", "😀")),
    (PAGED % "first: $f, last: $l", {"f": 1, "l": 1}),
    (PAGED % "first: $f, before: $b", {"f": 1, "b": "x"}),
    (PAGED % "last: $l, after: $a", {"l": 1, "a": None}),
    *((PAGED % "first: $f", {"f": f}) for f in (0, -1, 501, None, 2**31, "1", 1.0, 1.5, True, [1])),
    (PAGED % "first: $f", {}),
    (PAGED % "first: null", {"unused": 1}),
    *((ID, {"id": id}) for id in (None, "", "x", 7, "QWNjb3VudDp4", "VGhpbmc6eA==", ["x"])),
    (ID, {}),
    (IDS, {"ids": []}),
    (IDS, {"ids": [None]}),
    (IDS, {"ids": "x"}),
    (ORDERS % "totalCount", {"f": {"status": "NONE"}}),
    (ORDERS % "totalCount", {"f": {"unknown": 1}}),
    (ORDERS % "nodes { id }", {"f": None}),
    ("query($s: Boolean!) { me { id @skip(if: $s) } }", {}),
    ("query($s: Boolean!) { me { id @skip(if: $s) } }", {"s": None}),
    ("query($s: Boolean!) { me { id @skip(if: $s) username @include(if: $s) } }", {"s": True}),
    ("query($s: Boolean = true) { me { id @skip(if: $s) username } }", {"s": False}),
    ("query($s: String!) { instrument(symbol: $s) { id symbol } }", {"s": "aapl"}),
    ("query($s: String!) { instrument(symbol: $s) { id symbol } }", {"s": ""}),
    ("query($s: String!) { instruments(search: $s) { totalCount nodes { symbol } } }", {"s": "\\%_"}),
    ("{ me { nothing } }", {}),
    ("{ me { id ", {}),
    ("", {}),
    ("{ __schema { queryType { name } } }", {}),
    ('{ __type(name: "Account") { name } me { id } }', {}),
    ("{ __typename }", {}),
    ("{ a: __typename b: __typename ...F } fragment F on Query { __typename c: __typename }", {}),
    ("mutation { __typename }", {}),
    ('mutation { acknowledgeAlert(input: {alertId: "x"}) { userErrors { code } } }', {}),
    ("subscription { alerts { id } }", {}),
    ("query A { me { id } } query B { me { username } }", {}),
    ("query A { me { id } } query A { me { username } }", {}),
    ("fragment F on User { id }", {}),
]


@pytest.mark.parametrize(("query", "variables"), WRONG)
async def test_wrong_values(both: Both, person: Person, query: str, variables: dict[str, Any]) -> None:
    for token in (person.token, None, "garbled"):
        _same(*await both.ask(token, query, variables), query)


async def test_operations_by_name(both: Both, person: Person) -> None:
    query = "query A { me { id } } query B { me { username } }"
    for name in ("A", "B", "C", "", None):
        _same(*await both.ask(person.token, query, operationName=name), str(name))


async def test_ids_that_are_not_there(both: Both, person: Person) -> None:
    """Of nobody, of another type, of somebody else, and more of them than one statement looks up."""
    account = person.ids["Account"]
    raw = base64.urlsafe_b64decode(account).decode().partition(":")[2]
    other = base64.urlsafe_b64encode(f"Portfolio:{raw}".encode()).decode()
    for ids in (
        [account, account],
        [other],
        [account, other],
        [person.missing("Account"), account],
        list(person.ids.values()),
        [account] * 50,
        [account] * 60,
        [account] * 501,
    ):
        _same(*await both.ask(person.token, IDS, {"ids": ids}), str(ids))
        _same(*await both.ask(person.token, ID, {"id": ids[0]}), ids[0])


async def test_totals_name_what_they_leave_out(both: Both, person: Person) -> None:
    """A total that says of nothing that it is missing would be a wrong figure."""
    unavailable = "unavailable { field reason currency date instrument { symbol } }"
    query = f"""{{ me {{ summary {{ totalValue {unavailable} }} accounts {{ nodes {{ totalValue {unavailable}
        portfolios {{ nodes {{ totalValue unpricedPositionCount {unavailable} }} }} }} }} }} }}"""
    compiled, resolved = await both.ask(person.token, query)
    _same(compiled, resolved, query)
    assert await both.left(person.owner_id, query, {}) is None
    summary = json.loads(compiled.body)["data"]["me"]["summary"]
    reasons = {each["reason"] for each in summary["unavailable"]}
    assert reasons == {"NO_PRICES", "NO_RATE"}


async def test_weights_while_somebody_writes(both: Both, person: Person) -> None:
    """What one answer says fits together, whatever is written meanwhile."""
    query = """{ me { accounts { nodes { portfolios { nodes { totalValue marketValue cashBalance cashWeight
        positionCount positions(first: 500) { totalCount nodes { marketValue weight quantity } }
        } } } } } }"""
    account = person.ids["Account"]
    deposit = f"""mutation {{ deposit(input: {{accountId: "{account}", amount: "1",
        portfolioId: "{person.ids["Portfolio"]}", idempotencyKey: "%s"}}) {{ userErrors {{ code }} }} }}"""

    async def write() -> None:
        for _ in range(15):
            _, written = (
                await both.ask(person.token, "{ __typename }"),
                await both.ask(person.token, deposit % secrets.token_hex(16)),
            )
            assert b'"userErrors":[]' in written[0].body, written[0].body

    writing = asyncio.create_task(write())
    seen: set[str] = set()
    while not writing.done() or not seen:
        compiled = await both.compiled(person.token, query)
        for node in json.loads(compiled.body)["data"]["me"]["accounts"]["nodes"]:
            for portfolio in node["portfolios"]["nodes"]:
                _fits(portfolio)
                seen.add(portfolio["cashBalance"])
    await writing
    assert len(seen) > 4


def _fits(portfolio: Any) -> None:
    positions = portfolio["positions"]
    assert positions["totalCount"] == len(positions["nodes"])
    assert portfolio["positionCount"] == sum(Decimal(each["quantity"]) > 0 for each in positions["nodes"])
    total = sum((Decimal(each["marketValue"] or 0) for each in positions["nodes"]), Decimal())
    assert Decimal(portfolio["marketValue"]) == total
    assert Decimal(portfolio["totalValue"]) == total + Decimal(portfolio["cashBalance"])
    if portfolio["cashWeight"] is not None:
        weights = [Decimal(each["weight"] or 0) for each in positions["nodes"]]
        assert sum(weights) + Decimal(portfolio["cashWeight"]) == 1
