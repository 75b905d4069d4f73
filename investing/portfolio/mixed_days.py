"""The days of a user whose accounts have days of other time zones: all portfolios replayed and summed."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from db.sessions import Row

_FIGURES = ("total_value", "unpriced_positions", "num_positions")


def summed(
    portfolios: Iterable[Row],
    cash: Iterable[Row],
    start: dt.date | None,
    until: dt.date,
) -> list[Any]:
    """Return the user's days until `until`, from the last one on or before `start`, or the first one, on.

    `portfolios` are the days of each portfolio, in order, and `cash` those of the unallotted cash, all in the
    user's time zone. A place keeps its value on days that are none of its own, and nothing has a close then.
    """
    changes: dict[dt.date, dict[str, Any]] = {}
    last: dict[Any, dict[str, Any]] = {}
    for place, date, now in _places(portfolios, cash):
        day = changes.setdefault(date, {name: 0 for name in (*_FIGURES, "fresh")})
        before = last.get(place, {})
        for name in _FIGURES:
            day[name] += now[name] - before.get(name, 0)
        day["fresh"] += now["num_positions"] - now["stale_positions"]
        last[place] = now
    return _cut(_running(changes), start, until)


def _places(portfolios: Iterable[Row], cash: Iterable[Row]) -> Iterable[tuple[Any, dt.date, dict[str, Any]]]:
    for row in portfolios:
        total = Decimal(row["cash_value"]) + Decimal(row["positions_value"])
        counts = {name: row[name] for name in ("unpriced_positions", "num_positions", "stale_positions")}
        yield row["portfolio_id"], row["date"], {"total_value": total, **counts}
    for row in cash:
        nothing = dict.fromkeys(("unpriced_positions", "num_positions", "stale_positions"), 0)
        yield None, row["date"], {"total_value": Decimal(row["total_value"]), **nothing}


def _running(changes: Mapping[dt.date, Mapping[str, Any]]) -> list[Any]:
    found = []
    totals: dict[str, Any] = dict.fromkeys(_FIGURES, 0)
    for date in sorted(changes):
        for name in _FIGURES:
            totals[name] += changes[date][name]
        stale = totals["num_positions"] - changes[date]["fresh"]
        found.append({"date": date, **totals, "stale_positions": stale})
    return found


def _cut(rows: Sequence[Any], start: dt.date | None, until: dt.date) -> list[Any]:
    rows = [row for row in rows if row["date"] <= until]
    if start is None:
        return rows
    before = [n for n, row in enumerate(rows) if row["date"] <= start]
    return rows[before[-1] :] if before else rows
