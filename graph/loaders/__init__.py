"""Dataloaders, which read a level of the tree in one statement however many parents it has.

A loader is named for what it loads and only declares which list that is; one set of loaders lives as long as
one operation. Keys of the page loaders are (parent's id, page).
"""

from __future__ import annotations

from asyncio import Future, Task, current_task, shield
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from aiodataloader import DataLoader

from db.pages import Listing, Page, PageSlice, fetch_by_ids, fetch_counts, fetch_pages
from graph.viewer import ViewerLogin

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
RowT = TypeVar("RowT")


_reads: ContextVar[set[Task[Any]] | None] = ContextVar("reads", default=None)


@contextmanager
def reads_end_here() -> Iterator[None]:
    """End whatever loaders still read, or have computed, when the block ends.

    A batch is a task of its own: without this it would go on after its operation has timed out.
    """
    reads: set[Task[Any]] = set()
    token = _reads.set(reads)
    try:
        yield
    finally:
        _reads.reset(token)
        for task in reads:
            task.cancel()


class Loader(DataLoader[KeyT, ValueT], Generic[KeyT, ValueT]):
    """A loader that acts for the operation's viewer."""

    def __init__(self, login: ViewerLogin) -> None:
        super().__init__()
        self.login = login
        self._read_batch: Callable[[list[KeyT]], Any] = self.batch_load_fn
        self.batch_load_fn = self._load_batch

    async def _load_batch(self, keys: list[KeyT]) -> list[ValueT]:
        task, reads = current_task(), _reads.get()
        if task is None or reads is None:
            return await self._read_batch(keys)
        reads.add(task)
        try:
            return await self._read_batch(keys)
        finally:
            reads.discard(task)

    def load(self, key: KeyT) -> Future[ValueT]:
        """Load a key, together with all others of this step.

        Several fields may wait for the same key. graphql-core cancels those beside a field that has failed,
        which must not cancel what the others wait for.
        """
        return shield(super().load(key))


class ById(Loader[UUID, RowT | None], Generic[RowT]):
    """Rows of a list by their ids; None for a missing one and for another owner's."""

    listing: Listing[RowT]

    async def batch_load_fn(self, keys: list[UUID]) -> list[RowT | None]:
        async with self.login.reading() as connection:
            rows = await fetch_by_ids(connection, self.listing, self.login.viewer_id, keys)
        return [rows.get(key) for key in keys]

    async def load_existing(self, key: UUID) -> RowT:
        """Load a row that a row of the same owner refers to, which cannot be missing."""
        found = await self.load(key)
        assert found is not None, "a foreign key leads to a row"
        return found


PageKey = tuple["UUID | None", Page]


class PagesOf(Loader[PageKey, PageSlice[RowT]], Generic[RowT]):
    """Pages of a list, one for each parent; parents that ask for the same page share a statement."""

    listing: Listing[RowT]
    as_administrator: ClassVar[bool] = False

    async def batch_load_fn(self, keys: list[PageKey]) -> list[PageSlice[RowT]]:
        found: dict[PageKey, PageSlice[RowT]] = {}
        async with self.login.reading(as_administrator=self.as_administrator) as connection:
            for page, parents in _by_page(keys):
                slices = await fetch_pages(connection, self.listing, self.login.viewer_id, parents, page)
                found.update(((parent, page), slice) for parent, slice in slices.items())
        return [found[key] for key in keys]


class CountsOf(Loader[PageKey, int]):
    """The total of a list for each parent."""

    listing: ClassVar[Listing[Any]]
    as_administrator: ClassVar[bool] = False

    async def batch_load_fn(self, keys: list[PageKey]) -> list[int]:
        found: dict[PageKey, int] = {}
        async with self.login.reading(as_administrator=self.as_administrator) as connection:
            for page, parents in _by_page(keys):
                totals = await fetch_counts(connection, self.listing, self.login.viewer_id, parents, page)
                found.update(((parent, page), total) for parent, total in totals.items())
        return [found[key] for key in keys]


def _by_page(keys: Iterable[PageKey]) -> Iterable[tuple[Page, Any]]:
    parents: dict[Page, list[UUID | None]] = defaultdict(list)
    for parent, page in keys:
        parents[page].append(parent)
    return parents.items()
