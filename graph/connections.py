"""Relay connections over the lists of `db.pages`: keyset cursors, 50 to a page, 500 at the most."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry

from db.canonical import instant
from db.pages import Listing, Page, PageSlice
from graph.context import Info
from graph.errors import BadUserInput
from graph.loaders import CountsOf, PagesOf

DEFAULT_PAGE = 50
LARGEST_PAGE = 500

NodeT = TypeVar("NodeT")
RowT = TypeVar("RowT")

First = Annotated[
    int | None,
    strawberry.argument(description="The number of entries from the start, 1 to 500; 50 by default."),
]
After = Annotated[str | None, strawberry.argument(description="Only entries after this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="The number of entries from the end, 1 to 500.")]
Before = Annotated[str | None, strawberry.argument(description="Only entries before this cursor.")]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether there are more entries after this page; with `last`, whether `before` was given."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether there are more entries before this page; with `first`, whether `after` was "
        "given."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first entry; null for an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last entry; null for an empty page."
    )


@strawberry.type(description="An entry of a list, with its cursor.")
class Edge(Generic[NodeT]):
    cursor: str = strawberry.field(description="The position of this entry, for `after` and `before`.")
    node: NodeT = strawberry.field(description="The entry itself.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[NodeT]):
    listing: strawberry.Private[Listing[Any]]
    page: strawberry.Private[Page]
    slice: strawberry.Private[PageSlice[Any]]
    node_of: strawberry.Private[Callable[[Any], Any]]
    counts: strawberry.Private[type[CountsOf]]
    parent_id: strawberry.Private[UUID | None]
    total: strawberry.Private[int | None] = None

    @strawberry.field(description="The page's entries with their cursors.")
    def edges(self) -> list[Edge[NodeT]]:
        return [Edge(cursor=cursor_of(self.listing, row), node=self.node_of(row)) for row in self.slice.rows]

    @strawberry.field(description="The page's entries.")
    def nodes(self) -> list[NodeT]:
        return [self.node_of(row) for row in self.slice.rows]

    @strawberry.field(description="The position of this page in the list.")
    def page_info(self) -> PageInfo:
        rows = self.slice.rows
        return PageInfo(
            has_next_page=self.page.before is not None if self.page.backward else self.slice.more,
            has_previous_page=self.slice.more if self.page.backward else self.page.after is not None,
            start_cursor=cursor_of(self.listing, rows[0]) if rows else None,
            end_cursor=cursor_of(self.listing, rows[-1]) if rows else None,
        )

    @strawberry.field(description="The number of entries in the whole list; counted only if requested.")
    async def total_count(self, info: Info) -> int | None:
        if self.total is not None:
            return self.total
        uncut = Page(limit=0, filters=self.page.filters)
        return await info.context.loader(self.counts).load((self.parent_id, uncut))


async def connect(
    info: Info,
    pages: type[PagesOf[RowT]],
    counts: type[CountsOf],
    node_of: Callable[[RowT], Any],
    parent_id: UUID | None,
    arguments: tuple[int | None, str | None, int | None, str | None],
    **filters: object,
) -> Any:
    """Return the page of a list that first, after, last and before ask for. A filter of None is no filter.

    Raise BadUserInput for a page size out of range, for both directions at once and for a foreign cursor.
    """
    page = page_of(pages.listing, *arguments, filters)
    found = await info.context.loader(pages).load((parent_id, page))
    return Connection(
        listing=pages.listing,
        page=page,
        slice=found,
        node_of=node_of,
        counts=counts,
        parent_id=parent_id,
    )


def page_through(
    listing: Listing[Any],
    rows: Sequence[Mapping[str, Any]],
    node_of: Callable[[Any], Any],
    arguments: tuple[int | None, str | None, int | None, str | None],
) -> Any:
    """Return a page of rows that have been read already, in the order of their keys.

    Raise what `connect` does.
    """
    page = page_of(listing, *arguments, {})
    keys = [tuple(row[key.name] for key in listing.order) for row in rows]
    first = 0 if page.after is None else bisect_right(keys, page.after)
    last = len(keys) if page.before is None else bisect_left(keys, page.before)
    inside = rows[first : max(first, last)]
    kept = inside[-page.limit :] if page.backward else inside[: page.limit]
    return Connection(
        listing=listing,
        page=page,
        slice=PageSlice(kept, len(inside) > len(kept)),
        node_of=node_of,
        counts=CountsOf,
        parent_id=None,
        total=len(rows),
    )


def page_of(
    listing: Listing[Any],
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    filters: Mapping[str, object],
) -> Page:
    """Return the page that Relay's four arguments mean."""
    if first is not None and last is not None:
        raise BadUserInput("Give `first` or `last`, not both.")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= LARGEST_PAGE:
            raise BadUserInput(f"`{name}` is {size}: a page has 1 to {LARGEST_PAGE} entries.")
    return Page(
        limit=first or last or DEFAULT_PAGE,
        backward=last is not None,
        after=_keys_of(listing, after),
        before=_keys_of(listing, before),
        filters=tuple((name, value) for name, value in filters.items() if value is not None),
    )


def cursor_of(listing: Listing[Any], row: Mapping[str, Any]) -> str:
    """Return the opaque cursor of a row in its list."""
    return _cursor(listing, [row[key.name] for key in listing.order])


def _cursor(listing: Listing[Any], keys: Sequence[object]) -> str:
    return urlsafe_b64encode(orjson.dumps([listing.name, *map(_text, keys)])).decode()


def _text(value: Any) -> str:
    return instant(value) if hasattr(value, "hour") else str(value)


def _keys_of(listing: Listing[Any], cursor: str | None) -> tuple[object, ...] | None:
    if cursor is None:
        return None
    try:
        _, *texts = orjson.loads(urlsafe_b64decode(cursor.encode()))
        keys = tuple(key.parse(text) for key, text in zip(listing.order, texts, strict=True))
        # Only what this server would write: anything else that parses may be more than a column can hold.
        if _cursor(listing, keys) == cursor:
            return keys
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError):
        pass
    raise BadUserInput("This is not a cursor of this list.")
