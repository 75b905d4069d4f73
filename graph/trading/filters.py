"""Filters of the lists of transactions and orders."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import strawberry

from graph.errors import BadUserInput
from graph.ids import id_of
from graph.vocabulary import OrderStatus, TransactionType

MOST = 500
_NOBODYS = UUID(int=0)


@strawberry.input(
    description="Which transactions: those that meet every condition. What is left out, or null, is no "
    "condition; an empty list lets nothing through. A list has at most 500 entries."
)
class TransactionFilter:
    types: list[TransactionType] | None = strawberry.field(description="Of these types.", default=None)
    symbols: list[str] | None = strawberry.field(
        description="In instruments with these symbols.", default=None
    )
    from_: dt.date | None = strawberry.field(
        name="from", description="Not before this day, in the account's time zone.", default=None
    )
    to: dt.date | None = strawberry.field(
        description="Not after this day, in the account's time zone.", default=None
    )
    account_ids: list[strawberry.ID] | None = strawberry.field(
        description="In these accounts, or in portfolios of theirs.", default=None
    )
    portfolio_ids: list[strawberry.ID] | None = strawberry.field(
        description="In these portfolios.", default=None
    )


@strawberry.input(
    description="Which orders: those that meet every condition. What is left out, or null, is no condition; "
    "an empty list lets nothing through. A list has at most 500 entries."
)
class OrderFilter:
    statuses: list[OrderStatus] | None = strawberry.field(description="With these statuses.", default=None)
    symbols: list[str] | None = strawberry.field(
        description="In instruments with these symbols.", default=None
    )
    from_: dt.date | None = strawberry.field(
        name="from", description="Not submitted before this day, in the account's time zone.", default=None
    )
    to: dt.date | None = strawberry.field(
        description="Not submitted after this day, in the account's time zone.", default=None
    )


TransactionsFilter = Annotated[
    TransactionFilter | None, strawberry.argument(description="Only transactions like these.")
]
OrdersFilter = Annotated[OrderFilter | None, strawberry.argument(description="Only orders like these.")]


def transactions_like(filter: TransactionFilter | None) -> dict[str, object]:
    """Return the conditions as the list of transactions takes them. Raise BadUserInput."""
    if filter is None:
        return {}
    return {
        "types": _words("types", filter.types),
        "symbols": _texts("symbols", filter.symbols),
        "from": filter.from_,
        "to": filter.to,
        "account_ids": _ids("accountIds", "Account", filter.account_ids),
        "portfolio_ids": _ids("portfolioIds", "Portfolio", filter.portfolio_ids),
    }


def orders_like(filter: OrderFilter | None) -> dict[str, object]:
    """Return the conditions as the list of orders takes them. Raise BadUserInput."""
    if filter is None:
        return {}
    return {
        "statuses": _words("statuses", filter.statuses),
        "symbols": _texts("symbols", filter.symbols),
        "from": filter.from_,
        "to": filter.to,
    }


# Tuples, because a page is part of a loader's key.
def _texts(name: str, given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is not None and len(given) > MOST:
        raise BadUserInput(f"`{name}` has {len(given)} entries: {MOST} are the most.", field=f"filter.{name}")
    return None if given is None else tuple(given)


def _words(
    name: str, given: Sequence[TransactionType] | Sequence[OrderStatus] | None
) -> tuple[str, ...] | None:
    return _texts(name, None if given is None else [word.value for word in given])


def _ids(name: str, type_name: str, given: Sequence[str] | None) -> tuple[UUID, ...] | None:
    # An id of another type matches nothing.
    texts = _texts(name, given)
    return None if texts is None else tuple(id_of(type_name, text) or _NOBODYS for text in texts)
