"""The Node interface, and how an object is found again by its id."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry

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
