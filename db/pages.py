"""Lists that a client pages through, read set-based: one statement for all parents of a level.

A `Listing` describes a list; `fetch_pages`, `fetch_counts` and `fetch_by_ids` write its SQL. In that SQL `$1`
is always the owner where the list has one, `t` is the listed table, and paging goes by the keys of the order
(a keyset), so that added or deleted rows never shift a page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from db.sessions import Connection

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Key:
    """One column of a list's order: its name in the row, its SQL, and the parser of a cursor's text."""

    name: str
    sql: str
    parse: Callable[[str], object]


def plain_text(text: str) -> str:
    """Return the key of a text column.

    Raises ValueError for the one character that PostgreSQL cannot store.
    """
    if "\x00" in text:
        raise ValueError("text holds no U+0000")
    return text


def sequence_number(text: str) -> int:
    """Return the key of an integer column.

    Raises ValueError for a number outside the column's range.
    """
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError("out of range for an integer")
    return number


@dataclass(frozen=True)
class Join:
    """A table that rows are joined to: at most one of its rows for each, and with `left` possibly none."""

    table: str
    on: str
    left: bool = False


def columns(plain: str, **computed: str) -> Mapping[str, str]:
    """Return columns with their SQL: `plain` names those of the listed table, with blanks between them."""
    return {**{name: f"t.{name}" for name in plain.split()}, **computed}


@dataclass(frozen=True)
class Listing(Generic[RowT]):
    """A list whose last order key is unique within a parent.

    `table` is called `t` in the SQL of `columns`, and the tables of `joins` by their names there. Filters
    contain `{}` for their value. In a `shared` list, rows without an owner belong to everybody. `row` has the
    columns.
    """

    row: type[RowT]
    name: str
    columns: Mapping[str, str]
    table: str
    order: tuple[Key, ...]
    joins: Mapping[str, Join] = field(default_factory=dict)
    descending: bool = False
    parent: str | None = None
    owner: str | None = "t.owner_id"
    shared: bool = False
    id: str = "t.id"
    condition: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def selected(self) -> str:
        """Return the columns as a statement selects them."""
        return ", ".join(
            sql if sql == f"t.{name}" else f"{sql} AS {name}" for name, sql in self.columns.items()
        )

    @property
    def source(self) -> str:
        """Return the table and its joins as a statement reads from them."""
        joins = (
            f" {'LEFT ' if join.left else ''}JOIN {join.table} {name} ON {join.on}"
            for name, join in self.joins.items()
        )
        return f"{self.table} t{''.join(joins)}"

    def owned_by(self, owner: str) -> str:
        """Return the condition that this owner may see a row."""
        own = f"{self.owner} = {owner}"
        return f"({self.owner} IS NULL OR {own})" if self.shared else own


@dataclass(frozen=True)
class Page:
    """A part of a list: up to `limit` rows after and before these keys, from the end if `backward`."""

    limit: int
    backward: bool = False
    after: tuple[object, ...] | None = None
    before: tuple[object, ...] | None = None
    filters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class PageSlice(Generic[RowT]):
    """The rows of a page in the list's order, and whether there are more in the direction of reading."""

    rows: Sequence[RowT]
    more: bool


class _Statement:
    """SQL under construction: conditions, and the parameters that they name."""

    def __init__(self, listing: Listing[Any], owner_id: UUID | None) -> None:
        self.parameters: list[Any] = []
        self.conditions: list[str] = []
        if listing.owner is not None:
            self.conditions.append(listing.owned_by(self.name(owner_id)))
        if listing.condition is not None:
            self.conditions.append(listing.condition)

    def name(self, value: object) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    @property
    def where(self) -> str:
        return " AND ".join(self.conditions) or "true"


async def fetch_pages(
    connection: Connection, listing: Listing[RowT], owner_id: UUID | None, parents: Sequence[UUID], page: Page
) -> dict[UUID | None, PageSlice[RowT]]:
    """Return the same page of each parent's list, under None for a list that has no parent."""
    statement = _Statement(listing, owner_id)
    keys = ", ".join(key.sql for key in listing.order)
    direction = "DESC" if listing.descending != page.backward else "ASC"
    parent = statement.name(parents) if listing.parent is not None else None
    if listing.parent is not None:
        statement.conditions.append(f"{listing.parent} = parent.id")
    _filter(statement, listing, page)
    for bound, is_after in ((page.after, True), (page.before, False)):
        if bound is not None:
            values = ", ".join(statement.name(value) for value in bound)
            comparison = ">" if is_after != listing.descending else "<"
            statement.conditions.append(f"({keys}) {comparison} ({values})")
    sql = (
        f"SELECT {listing.selected} FROM {listing.source} WHERE {statement.where} "
        f"ORDER BY {', '.join(f'{key.sql} {direction}' for key in listing.order)} "
        # One row more than requested shows whether there is a next page.
        f"LIMIT {statement.name(page.limit + 1)}"
    )
    if parent is not None:
        sql = (
            f"SELECT parent.id AS parent_id, page.* FROM unnest({parent}::uuid[]) AS parent(id) "
            f"CROSS JOIN LATERAL ({sql}) page"
        )
    rows = await connection.fetch(sql, *statement.parameters)
    found: dict[UUID | None, list[Any]] = {
        parent: [] for parent in (parents if parent is not None else [None])
    }
    for row in rows:
        found[row["parent_id"] if parent is not None else None].append(row)
    return {key: _slice(rows, page) for key, rows in found.items()}


async def fetch_counts(
    connection: Connection, listing: Listing[RowT], owner_id: UUID | None, parents: Sequence[UUID], page: Page
) -> dict[UUID | None, int]:
    """Return how many rows each parent's list has, whatever the page; under None without a parent."""
    statement = _Statement(listing, owner_id)
    _filter(statement, listing, page)
    if listing.parent is None:
        sql = f"SELECT count(*) FROM {listing.source} WHERE {statement.where}"
        return {None: await connection.fetchval(sql, *statement.parameters)}
    statement.conditions.append(f"{listing.parent} = ANY({statement.name(parents)}::uuid[])")
    rows = await connection.fetch(
        f"SELECT {listing.parent} AS parent_id, count(*) AS total FROM {listing.source} "
        f"WHERE {statement.where} GROUP BY 1",
        *statement.parameters,
    )
    totals: dict[UUID | None, int] = {parent: 0 for parent in parents}
    totals.update((row["parent_id"], row["total"]) for row in rows)
    return totals


async def fetch_by_ids(
    connection: Connection, listing: Listing[RowT], owner_id: UUID | None, ids: Sequence[UUID]
) -> dict[UUID, RowT]:
    """Return the owner's rows with these ids; missing ids and those of other owners are left out."""
    owner = f"{listing.owned_by('$1')} AND " if listing.owner is not None else ""
    parameters = (ids,) if listing.owner is None else (owner_id, ids)
    rows = await connection.fetch(
        f"SELECT {listing.selected} FROM {listing.source} "
        f"WHERE {owner}{listing.id} = ANY(${len(parameters)}::uuid[])",
        *parameters,
    )
    return {row["id"]: cast("RowT", row) for row in rows}


def _filter(statement: _Statement, listing: Listing[RowT], page: Page) -> None:
    for name, value in page.filters:
        statement.conditions.append(listing.filters[name].format(statement.name(value)))


def _slice(rows: list[RowT], page: Page) -> PageSlice[RowT]:
    more = len(rows) > page.limit
    kept = rows[: page.limit]
    return PageSlice(kept[::-1] if page.backward else kept, more)
