"""The roots of the tree: the viewer, any object by its id, and the users."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import strawberry

from graph.auth.types import User
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.errors import BadUserInput
from graph.ids import parse_global_id
from graph.loaders.auth import UserCount, Users
from graph.missing import log_missing
from graph.node import REFETCH, Node
from graph.permissions import IsAdmin, IsAuthenticated, guarded

MOST_NODES = 500

_Id = Annotated[strawberry.ID, strawberry.argument(description="An id that this API has returned.")]
_Ids = Annotated[
    list[strawberry.ID], strawberry.argument(description="Ids that this API has returned, at most 500.")
]


async def _find(info: Info, type_name: str, row_id: UUID) -> Node | None:
    refetch = REFETCH.get(type_name)
    if refetch is None:
        raise BadUserInput("This is not an id that this API has given out.")
    row = await info.context.loader(refetch.loader).load(row_id)
    return None if row is None else refetch.from_row(row)


def _log_missing(info: Info, asked: Sequence[tuple[str, UUID]], found: Sequence[Node | None]) -> None:
    missing: dict[str, list[UUID]] = {}
    for (type_name, row_id), node in zip(asked, found, strict=True):
        if node is None:
            missing.setdefault(type_name, []).append(row_id)
    for type_name, ids in missing.items():
        log_missing(info, type_name, ids)


@strawberry.type
class AuthQuery:
    @strawberry.field(
        description="The logged-in user, and everything they own.", extensions=[guarded(IsAuthenticated())]
    )
    async def me(self, info: Info) -> User | None:
        return User.from_viewer(await info.context.viewer())

    @strawberry.field(
        description="Any object of yours by its id. Null for another user's id, exactly as for one that does "
        "not exist.",
        extensions=[guarded(IsAuthenticated())],
    )
    async def node(self, info: Info, id: _Id) -> Node | None:
        asked = parse_global_id(id)
        node = await _find(info, *asked)
        _log_missing(info, [asked], [node])
        return node

    @strawberry.field(
        description="Several objects by their ids, in the same order, with null for each that is not found.",
        extensions=[guarded(IsAuthenticated())],
    )
    async def nodes(self, info: Info, ids: _Ids) -> list[Node | None] | None:
        if len(ids) > MOST_NODES:
            raise BadUserInput(f"`ids` has {len(ids)} ids: {MOST_NODES} are the most.")
        asked = [parse_global_id(id) for id in ids]
        found = list(await asyncio.gather(*(_find(info, *each) for each in asked)))
        _log_missing(info, asked, found)
        return found

    @strawberry.field(
        description="All users, oldest first. Administrators only.", extensions=[guarded(IsAdmin())]
    )
    async def users(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[User] | None:
        return await connect(info, Users, UserCount, User.from_row, None, (first, after, last, before))
