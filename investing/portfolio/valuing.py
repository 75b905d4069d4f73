"""The days with flows of a scope, from what is read of them to their sub-periods."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from db.portfolio.flow_days import FlowScope, fetch_flow_days
from db.portfolio.pricing import Shift
from db.portfolio.rows import FlowDayRow
from db.sessions import Connection
from investing.background import run_apart
from investing.rules.market.market_hours import closing_instant
from investing.rules.performance.returns import WIDE
from investing.rules.performance.valuation import (
    ClosingPrice,
    DayEntry,
    FlowDay,
    KnownPrices,
    ValuedDay,
    value_day,
)

# The same few ids occur on every day.
_uuid = lru_cache(maxsize=4096)(UUID)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


async def read_flow_days(
    connection: Connection, owner_id: UUID, scopes: Sequence[FlowScope], shifts: Sequence[Shift]
) -> dict[UUID, dict[dt.date, ValuedDay]]:
    """Read and value the days with flows of each scope, in one statement whatever the number of scopes."""
    rows = await fetch_flow_days(connection, owner_id, scopes, shifts) if scopes else []

    def valued() -> dict[UUID, dict[dt.date, ValuedDay]]:
        found: dict[UUID, dict[dt.date, ValuedDay]] = defaultdict(dict)
        for row in rows:
            found[row["scope_id"]][row["date"]] = value_day(flow_day(row))
        return found

    return await run_apart(owner_id, valued)


def flow_day(row: FlowDayRow) -> FlowDay:
    """Return a day from a row of `fetch_flow_days`."""
    entries = [_entry(*facts) for facts in _list(row["entries"])]
    ratios = _ratios(entries)
    return FlowDay(
        date=row["date"],
        cash=Decimal(row["cash"]),
        holdings={(_uuid(p), _uuid(i)): Decimal(quantity) for p, i, quantity in _list(row["held"])},
        known={_uuid(id): _known(ratios.get(_uuid(id)), *facts) for id, *facts in _list(row["known"])},
        entries=entries,
        units={(_uuid(p), _uuid(i)): _units(factors) for p, i, *factors in _list(row["units"])},
    )


def _units(factors: Sequence[str]) -> tuple[Fraction, Fraction]:
    """Return what shares are multiplied by at the day's beginning and at its end."""
    before, before_for, after, after_for = map(Fraction, factors)
    return before / before_for, after / after_for


def _list(text: str | None) -> list[Any]:
    return [] if text is None else list(orjson.loads(text))


def _entry(
    portfolio: str | None,
    instrument: str | None,
    at: int,
    cash: str,
    quantity: str,
    is_flow: bool,
    is_inside: bool,
    price: str | None,
    new: str | None,
    old: str | None,
) -> DayEntry:
    return DayEntry(
        at=_EPOCH + dt.timedelta(microseconds=at),
        portfolio=None if portfolio is None else _uuid(portfolio),
        instrument=None if instrument is None else _uuid(instrument),
        cash=Decimal(cash),
        quantity=Decimal(quantity),
        is_flow=is_flow,
        is_inside=is_inside,
        price=None if price is None else Decimal(price),
        split=None if new is None or old is None else (Decimal(new), Decimal(old)),
    )


def _known(
    ratio: Fraction | None,
    exchange: str | None,
    before: str | None,
    last_close: str | None,
    last_trade: str | None,
    closes: list[tuple[str, str]] | None,
    has_split: bool,
) -> KnownPrices:
    if has_split:
        # Prices are already per share of that day; only a split that the owner entered has yet to be applied.
        ratio = None
    return KnownPrices(
        before=None if before is None else Decimal(before),
        last_close=_after_split(last_close, ratio),
        last_trade=_after_split(last_trade, ratio),
        closes=tuple(
            ClosingPrice(closing_instant(exchange, dt.date.fromisoformat(date)), Decimal(price))
            for date, price in closes or ()
        ),
    )


def _ratios(entries: Sequence[DayEntry]) -> dict[UUID, Fraction]:
    """Return the new shares per old share of each instrument split on the day.

    If several portfolios have the split, the first one counts.
    """
    found: dict[UUID, Fraction] = {}
    first_portfolios: dict[UUID, UUID | None] = {}
    for entry in entries:
        if entry.split is not None and entry.instrument is not None:
            first_portfolio = first_portfolios.setdefault(entry.instrument, entry.portfolio)
            if first_portfolio == entry.portfolio:
                new, old = entry.split
                found[entry.instrument] = (
                    found.get(entry.instrument, Fraction(1)) * Fraction(new) / Fraction(old)
                )
    return found


def _after_split(price: str | None, ratio: Fraction | None) -> Decimal | None:
    # Prices from before the day are as they were stored, without the day's splits.
    if price is None or ratio is None:
        return None if price is None else Decimal(price)
    return WIDE.divide(WIDE.multiply(Decimal(price), Decimal(ratio.denominator)), Decimal(ratio.numerator))
