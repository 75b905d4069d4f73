"""Every compiled statement names the owner at each owned table, at every level, and holds no value."""

import json
import re
from base64 import b64encode
from typing import Any
from uuid import UUID

import pytest

from graph.compiler.answering import QueryCompiler
from graph.compiler.describing import Computed, Leaf, ToFew, ToMany, ToOne
from graph.ids import global_id
from graph.limits import STANDARD
from graph.readable import READABLE
from graph.schema import build_schema
from graph.server.compiled import build_compiler
from graph.server.serving import Executor, ServedSchema
from tests.db.owners.scopes import unowned
from tests.db.owners.test_owners import OWNERS

ID = UUID(int=7)


def _compiler() -> QueryCompiler:
    schema = build_schema()
    return build_compiler(schema, ServedSchema.around(schema, STANDARD).checks, Executor, 30)


COMPILER = _compiler()
TYPES = COMPILER.planner.readables.types


def _sql(query: str, **variables: Any) -> str:
    plan, _ = COMPILER.plan_of(query, None, variables)
    statement = COMPILER.planner.compiled(plan, variables)[0].statement
    assert statement is not None
    return statement.sql


def _fields(type_name: str, depth: int) -> str:
    """Everything that is read of a type, down to a depth."""
    fields = TYPES[type_name].fields
    return " ".join(
        key if isinstance(each, Leaf) else f"{key}{_below(each, depth)}"
        for key, each in fields.items()
        if isinstance(each, Leaf) or (depth > 0 and not isinstance(each, Computed))
    )


def _below(to: Any, depth: int) -> str:
    match to:
        case ToOne():
            return f" {{ __typename {_fields(to.type_name, depth - 1)} }}"
        case ToFew():
            return f" {{ __typename {_fields(to.of, depth - 1)} }}" if isinstance(to.of, str) else ""
        case ToMany():
            nodes = f"nodes {{ __typename {_fields(to.node_type, depth - 1)} }}"
            return f"(first: 2) {{ totalCount pageInfo {{ hasNextPage endCursor }} {nodes} }}"
    return ""


def _nameless(sql: str) -> list[str]:
    # The viewer's id is a parameter: the statement's first part hands it on.
    return unowned(re.sub(r"\bv\.id\b", "$1", sql), OWNERS)


RELATIONS = [
    (type_name, key)
    for type_name, described in TYPES.items()
    if "id" in described.fields
    for key, each in described.fields.items()
    if not isinstance(each, Leaf | Computed) or key == "id"
]


def test_every_type_is_described() -> None:
    assert set(TYPES) == set(READABLE)
    assert len(RELATIONS) > 60


@pytest.mark.parametrize("type_name", sorted({type_name for type_name, _ in RELATIONS}))
def test_the_owner_is_named_at_every_level(type_name: str) -> None:
    for _, key in (each for each in RELATIONS if each[0] == type_name):
        below = f"{key}{_below(TYPES[type_name].fields[key], 2)}"
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on {type_name} {{ {below} }} }} }}"
        assert _nameless(_sql(query, id=global_id(type_name, ID))) == [], query


def test_the_owner_is_named_below_the_viewer() -> None:
    sql = _sql(
        f"{{ me {{ {_fields('User', 1)} }} instruments {{ nodes {{ {_fields('Instrument', 1)} }} }} }}"
    )
    assert _nameless(sql) == []
    assert _nameless(sql.replace("w.owner_id = v.id", "true")) != []
    assert _nameless(_sql('{ instrument(symbol: "AAPL") { id } }')) == []


PAGE = """query($n: Int, $after: String, $symbol: String!, $id: ID!) { node(id: $id) { ... on Portfolio { id
    transactions(first: $n, after: $after, filter: {symbols: [$symbol]}) { nodes { id } } } } }"""


def test_values_are_parameters() -> None:
    """The statement has none of the variables' values in it, and is the same for others of their shape."""
    keys = ["transactions", "2024-01-02T03:04:05.000000Z", str(UUID(int=9))]
    cursor = b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode()
    one = _sql(PAGE, n=417, after=cursor, symbol="'; --", id=global_id("Portfolio", ID))
    for value in ("417", "2024", "000009", "--", "000000000007"):
        assert value not in one
    other = _sql(PAGE, n=3, after=cursor, symbol="AAPL", id=global_id("Portfolio", UUID(int=8)))
    assert one == other
    assert _sql(PAGE, n=3, after=None, symbol="AAPL", id=global_id("Portfolio", ID)) != one


def test_plans_are_kept_by_the_shape_of_the_variables() -> None:
    query = (
        "query($s: Boolean!, $f: Int, $l: Int, $id: ID!) { node(id: $id) { id @skip(if: $s) __typename } %s }"
    )
    query %= "me { accounts(first: $f, last: $l) { nodes { id } } }"
    ids = [global_id(name, ID) for name in TYPES if "id" in TYPES[name].fields]
    compiler = _compiler()

    def shapes(*each: Any) -> int:
        for skip, first, last, id in each:
            variables = {"s": skip, "f": first, "l": last, "id": id}
            plan, _ = compiler.plan_of(query, None, variables)
            compiler.planner.compiled(plan, variables)
        return len(plan.shapes)

    assert shapes((True, 1, None, ids[0]), (True, 2, None, ids[0]), (True, 500, None, ids[0])) == 1
    assert shapes((True, None, None, ids[0])) == 1
    assert shapes((False, 1, None, ids[0])) == 2
    assert shapes((False, None, 1, ids[0])) == 3
    assert shapes((False, None, 1, ids[1])) == 4
    assert shapes(*((skip, 1, None, id) for id in ids for skip in (True, False))) <= 16
