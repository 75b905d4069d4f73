"""Paging: every list, both ways, in pages of any size, is the list; rows that come in shift nothing."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.graph.conftest import Api
from tests.graph.lists import COUNT, LISTS, Filled, Listed, fill
from tests.graph.stored import Stored, row_id


@pytest.fixture(scope="module")
def filled(stored: Stored, register: Callable[[], Api]) -> Filled:
    return fill(stored, register())


def every_list(function: Any) -> Any:
    """Runs a test for each list of the graph."""
    return pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.name)(function)


def by_name(name: str) -> Listed:
    """The list of this name."""
    return next(listed for listed in LISTS if listed.name == name)


def keys(listed: Listed, nodes: list[dict[str, str]]) -> list[str]:
    """What tells the nodes apart."""
    return [str(row_id(node["id"])) if listed.key == "id" else str(node[listed.key]) for node in nodes]


def page(
    filled: Filled, listed: Listed, arguments: str, **variables: Any
) -> tuple[list[str], list[str], Any]:
    """The keys and the cursors of a page, and its pageInfo."""
    selection = f"""edges {{ cursor node {{ {listed.key} }} }} nodes {{ {listed.key} }}
        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}"""
    found = filled.ask(listed, arguments, selection, **variables)
    assert [edge["node"] for edge in found["edges"]] == found["nodes"]
    cursors = [edge["cursor"] for edge in found["edges"]]
    assert found["pageInfo"].pop("startCursor") == (cursors[0] if cursors else None)
    assert found["pageInfo"].pop("endCursor") == (cursors[-1] if cursors else None)
    return keys(listed, found["nodes"]), cursors, found["pageInfo"]


@every_list
@pytest.mark.parametrize("size", [1, 2, 7, 500])
def test_forward(filled: Filled, listed: Listed, size: int) -> None:
    expected = filled.expected(listed)
    assert len(expected) >= COUNT - 1
    read: list[str] = []
    after = None
    while len(read) < len(expected):
        found, cursors, info = page(filled, listed, "first: $first, after: $after", first=size, after=after)
        assert found, "a page without progress would be asked for for ever"
        read += found
        assert info == {"hasNextPage": len(read) < len(expected), "hasPreviousPage": after is not None}
        assert len(found) == size or not info["hasNextPage"]
        after = cursors[-1]
    assert read == expected
    empty, _, info = page(filled, listed, "first: $first, after: $after", first=size, after=after)
    assert (empty, info) == ([], {"hasNextPage": False, "hasPreviousPage": True})


@every_list
@pytest.mark.parametrize("size", [1, 2, 7, 500])
def test_backward(filled: Filled, listed: Listed, size: int) -> None:
    expected = filled.expected(listed)
    read: list[str] = []
    before = None
    while len(read) < len(expected):
        found, cursors, info = page(filled, listed, "last: $last, before: $before", last=size, before=before)
        assert found, "a page without progress would be asked for for ever"
        read = found + read
        assert info == {"hasPreviousPage": len(read) < len(expected), "hasNextPage": before is not None}
        assert len(found) == size or not info["hasPreviousPage"]
        before = cursors[0]
    assert read == expected
    empty, _, info = page(filled, listed, "last: $last, before: $before", last=size, before=before)
    assert (empty, info) == ([], {"hasNextPage": True, "hasPreviousPage": False})


@every_list
def test_between_two_cursors(filled: Filled, listed: Listed) -> None:
    expected = filled.expected(listed)
    every, cursors, info = page(filled, listed, "")
    assert (every, info) == (expected, {"hasNextPage": False, "hasPreviousPage": False})
    between = {"after": cursors[2], "before": cursors[8]}
    assert page(filled, listed, "after: $after, before: $before", **between)[0] == expected[3:8]
    arguments = "%s: 2, after: $after, before: $before"
    assert page(filled, listed, arguments % "first", **between)[0] == expected[3:5]
    assert page(filled, listed, arguments % "last", **between)[0] == expected[6:8]
    crossed = {"after": cursors[8], "before": cursors[2]}
    assert page(filled, listed, "after: $after, before: $before", **crossed)[0] == []
    assert filled.ask(listed, "first: 1, after: $after", "totalCount", after=cursors[4]) == {
        "totalCount": len(expected)
    }


@every_list
def test_sizes_that_no_page_has(filled: Filled, listed: Listed) -> None:
    for arguments in (
        *(f"{end}: {size}" for end in ("first", "last") for size in (0, -1, 501, 10_000)),
        "first: 1, last: 1",
    ):
        assert filled.codes(listed, arguments) == ["BAD_USER_INPUT"], arguments


def _insert(filled: Filled, table: str, values: str) -> None:
    filled.stored.run(values.replace("$1", f"'{filled.owner}'").replace("$2", f"'{filled.parents[table]}'"))


ENTRY = """
    INSERT INTO transactions (owner_id, id, account_id, portfolio_id, type, amount, commission, currency,
                              cash_delta, quantity_delta, executed_at)
    SELECT $1, gen_random_uuid(), account_id, id, 'FEE', 1, 0, 'USD', -1, 0, '%d-01-01T00:00:00Z'
    FROM portfolios WHERE id = $2"""


@pytest.mark.parametrize("size", [1, 4])
def test_entries_that_come_in_between_shift_nothing(filled: Filled, size: int) -> None:
    listed = by_name("Portfolio.transactions")
    before = filled.expected(listed)
    read, cursors, _ = page(filled, listed, "first: 5")
    # One newer than all, which is on a page that was read, and one older than all, which is still to come.
    _insert(filled, "Portfolio", ENTRY % (2025 + size))
    _insert(filled, "Portfolio", ENTRY % (2001 - size))
    after: str | None = cursors[-1]
    while after is not None:
        found, cursors, info = page(filled, listed, "first: $first, after: $after", first=size, after=after)
        read += found
        after = cursors[-1] if info["hasNextPage"] else None
    now = filled.expected(listed)
    assert len(now) == len(before) + 2
    assert read == now[1:]
    assert set(before) < set(now)


def test_instruments_that_come_in_between_shift_nothing(filled: Filled) -> None:
    listed = by_name("Query.instruments")
    read, cursors, _ = page(filled, listed, "last: 5")
    filled.stored.instrument("ZZZ")
    filled.stored.instrument("AAA")
    rest, _, _ = page(filled, listed, "last: 500, before: $before", before=cursors[0])
    now = filled.expected(listed)
    assert rest + read == now[:-1]
    assert UUID(now[-1]) == filled.stored.value("SELECT id FROM instruments WHERE symbol = 'ZZZ'")
