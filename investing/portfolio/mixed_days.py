"""The days of a user with accounts in several time zones: all portfolios replayed and summed."""

import datetime as dt
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

_FIGURES = ("total_value", "unpriced_positions", "num_positions", "unquoted_positions")
_COUNTS = ("unpriced_positions", "num_positions", "stale_positions", "unquoted_positions")
# Days of portfolios and points of cash alike: their figures are summed by name, whatever else they have.
DayFigures = Mapping[str, Any]

_ONE_DAY = dt.timedelta(days=1)
_SHORTEST = dt.timedelta(days=10)


def without_closes(portfolios: Sequence[DayFigures]) -> list[tuple[UUID, dt.date]]:
    """Return portfolios and days that may be the last ones for which a close is expected.

    They are each portfolio's last day, and days followed by more than 10 days without an entry or a close of
    anything held.
    """
    return [
        (row["portfolio_id"], row["date"])
        for row, following in _with_next(portfolios)
        if _quoted(row) and (following is None or following - row["date"] > _SHORTEST)
    ]


def summed(
    portfolios: Sequence[DayFigures],
    cash: Iterable[DayFigures],
    start: dt.date | None,
    until: dt.date,
    quoted_until: Mapping[tuple[UUID, dt.date], dt.date],
) -> list[Any]:
    """Return the user's days from `start` to `until`.

    They begin with the last day on or before `start`, or with the first one. `portfolios` are the days of
    each portfolio, in order, and `cash` those of the unallotted cash, all in the user's time zone. A
    portfolio keeps its value on days that are none of its own, on which nothing has a close; `quoted_until`
    says for some of its days until when a close is expected.
    """
    changes: dict[dt.date, dict[str, Any]] = {}
    last: dict[Any, dict[str, Any]] = {}
    for source, date, now in _sources(portfolios, cash):
        day = changes.setdefault(date, {name: 0 for name in (*_FIGURES, "fresh")})
        before = last.get(source, {})
        for name in _FIGURES:
            day[name] += now[name] - before.get(name, 0)
        day["fresh"] += now["num_positions"] - now["stale_positions"]
        last[source] = now
    return _cut(_running(changes, _expiries(portfolios, quoted_until)), start, until)


def _with_next(portfolios: Sequence[DayFigures]) -> Iterator[tuple[DayFigures, dt.date | None]]:
    """Yield each day with the date of the same portfolio's next day."""
    for row, following in itertools.zip_longest(portfolios, portfolios[1:]):
        is_same = following is not None and following["portfolio_id"] == row["portfolio_id"]
        yield row, following["date"] if is_same else None


def _quoted(row: DayFigures) -> int:
    return int(row["num_positions"] - row["unquoted_positions"])


def _expiries(
    portfolios: Sequence[DayFigures], quoted_until: Mapping[tuple[UUID, dt.date], dt.date]
) -> list[tuple[dt.date, int]]:
    """Return by how many positions the number without an expected close changes, in order of the days."""
    found = []
    for row, following in _with_next(portfolios):
        until = quoted_until.get((row["portfolio_id"], row["date"]))
        if until is None or (following is not None and until + _ONE_DAY >= following):
            continue
        found.append((until + _ONE_DAY, _quoted(row)))
        if following is not None:
            found.append((following, -_quoted(row)))
    return sorted(found)


def _sources(
    portfolios: Iterable[DayFigures], cash: Iterable[DayFigures]
) -> Iterable[tuple[Any, dt.date, dict[str, Any]]]:
    for row in portfolios:
        total = Decimal(row["cash_value"]) + Decimal(row["positions_value"])
        counts = {name: row[name] for name in _COUNTS}
        yield row["portfolio_id"], row["date"], {"total_value": total, **counts}
    for row in cash:
        nothing = dict.fromkeys(_COUNTS, 0)
        yield None, row["date"], {"total_value": Decimal(row["total_value"]), **nothing}


def _running(changes: Mapping[dt.date, Mapping[str, Any]], expiries: list[tuple[dt.date, int]]) -> list[Any]:
    found = []
    waiting = deque(expiries)
    totals: dict[str, Any] = dict.fromkeys(_FIGURES, 0)
    for date in sorted(changes):
        for name in _FIGURES:
            totals[name] += changes[date][name]
        while waiting and waiting[0][0] <= date:
            totals["unquoted_positions"] += waiting.popleft()[1]
        stale = totals["num_positions"] - changes[date]["fresh"]
        found.append({"date": date, **totals, "stale_positions": stale})
    return found


def _cut(rows: Sequence[Any], start: dt.date | None, until: dt.date) -> list[Any]:
    rows = [row for row in rows if row["date"] <= until]
    if start is None:
        return rows
    before = [n for n, row in enumerate(rows) if row["date"] <= start]
    return rows[before[-1] :] if before else rows
