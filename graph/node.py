"""The Node interface, how an object is found again by its id, and how types refer to each other.

GraphQL types refer to each other both ways: an account has portfolios, and a portfolio its account. Modules
import each other one way only: auth, alerts, account, portfolio, rebalancing, trading, market. A type refers
to one earlier in this order by name: the field's `graphql_type` is a `LazyType` from here, and `related`
makes the object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry
from strawberry.types.lazy_type import LazyType

from graph.context import Info
from graph.loaders import ById


@strawberry.interface(description="An object with an id, by which `node` finds it.")
class Node:
    id: strawberry.ID = strawberry.field(description="An opaque, permanent id.")


@dataclass(frozen=True)
class Refetch:
    """How a type is found by its id: the loader of its rows, and the function that makes the object."""

    loader: type[ById[Any]]
    from_row: Callable[[Any], Node]


REFETCH: dict[str, Refetch] = {}
"""By type name. A type without rows of the viewer's is not in it, and so is never found."""


def refetched_by(type_name: str, loader: type[ById[Any]], from_row: Callable[[Any], Node]) -> None:
    """Declare that `node` finds this type."""
    REFETCH[type_name] = Refetch(loader, from_row)


# Types that modules refer to without importing them.
USER: LazyType[Any, Any] = LazyType("User", "graph.auth.types")
ACCOUNT: LazyType[Any, Any] = LazyType("Account", "graph.account.types")
PORTFOLIO: LazyType[Any, Any] = LazyType("Portfolio", "graph.portfolio.types")
TRANSACTION: LazyType[Any, Any] = LazyType("Transaction", "graph.trading.types")
INSTRUMENT: LazyType[Any, Any] = LazyType("Instrument", "graph.market.types")


async def related(info: Info, kind: LazyType[Any, Any], row_id: UUID) -> Node:
    """Return the object of this type that a row of the same owner refers to, which cannot be missing."""
    loader = REFETCH[kind.type_name].loader
    return object_of(kind, await info.context.loader(loader).load_existing(row_id))


def object_of(kind: LazyType[Any, Any], row: Any) -> Node:
    """Return the object of this type that a row of its list describes."""
    return REFETCH[kind.type_name].from_row(row)
