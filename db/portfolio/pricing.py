"""The prices of instruments on the days of a time zone, in SQL: the only place that reads closes and trades.

A close counts in the day in which its market closed. That is the date of its bar, unless the time zone is so
far away that the market closes on another day there: then a statement is given `shifts`, by how many days the
closes of an exchange are moved between two dates. What has no close yet is valued at its last trade.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from db.account.days import day_of
from db.sessions import Connection

# What crosses a border, of a transaction `t`; `investing.rules.performance.snapshots.EXTERNAL` says the same.
# Prices that are adjusted for dividends contain them: a dividend that is booked comes from outside of these
# prices.
IS_EXTERNAL = """(t.type IN ('DEPOSIT', 'WITHDRAWAL', 'TRANSFER_IN', 'TRANSFER_OUT')
    OR t.type = 'DIVIDEND' AND EXISTS (
        SELECT FROM instruments a WHERE a.id = t.instrument_id AND a.price_basis = 'ADJUSTED'))"""

# Of a transaction `t`: whether it was neither reversed nor is a reversal.
STANDS = """t.reverses_id IS NULL AND NOT EXISTS (
    SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)"""

# Of a transaction `t`: whether it gives a price of its instrument.
IS_TRADE = f"t.type IN ('BUY', 'SELL') AND t.price > 0 AND {STANDS}"


class Shift(NamedTuple):
    """A shift of an exchange's closes by some days in this time zone, between two dates."""

    time_zone: str
    exchange: str
    first: dt.date
    last: dt.date
    days: int


def shifts_from(number: int) -> str:
    """Return the common table expression `shifts` of a statement, with parameters from this number on."""
    kinds = ("text", "text", "date", "date", "int")
    arrays = ", ".join(f"${number + n}::{kind}[]" for n, kind in enumerate(kinds))
    return f"shifts AS (SELECT * FROM unnest({arrays}) AS s(time_zone, exchange, first, last, days))"


def shift_columns(shifts: Sequence[Shift]) -> list[list[object]]:
    """Return the values of these parameters."""
    return [[shift[n] for shift in shifts] for n in range(len(Shift._fields))]


async def fetch_exchanges(connection: Connection) -> list[str]:
    """Return the names of all exchanges that instruments are traded on."""
    rows = await connection.fetch("SELECT DISTINCT exchange FROM instruments WHERE exchange IS NOT NULL")
    return [row["exchange"] for row in rows]


def closes(zone: str, *, shifted: bool) -> str:
    """Return a relation of all closes: `instrument_id`, the bar's `date`, the `day` in the zone, `close`."""
    if not shifted:
        return "SELECT p.instrument_id, p.date, p.date AS day, p.close FROM price_bars p"
    return f"""SELECT p.instrument_id, p.date, p.date + coalesce(s.days, 0) AS day, p.close
        FROM price_bars p JOIN instruments i ON i.id = p.instrument_id
        LEFT JOIN shifts s ON s.time_zone = {zone} AND s.exchange = i.exchange
            AND p.date BETWEEN s.first AND s.last"""


def close_for(day: str) -> str:
    """Return the SQL of the close of the relation `x` of closes for one share of a day, whatever the splits.

    The database's function is called only where it may return anything else than the close itself: not for an
    instrument without splits, nor for a raw close of that very date, which together are almost all.
    """
    return f"""CASE WHEN NOT EXISTS (SELECT FROM instrument_splits s WHERE s.instrument_id = x.instrument_id)
        OR x.date = {day} AND EXISTS (
            SELECT FROM instruments i WHERE i.id = x.instrument_id AND i.price_basis = 'RAW')
        THEN x.close ELSE close_on(x.close, x.instrument_id, x.date, {day}) END"""


ZONES = """zones AS MATERIALIZED (
    SELECT p.id AS portfolio_id, a.time_zone
    FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id WHERE p.owner_id = $1
)"""
"""The common table expression of the owner's portfolios with their accounts' time zones."""


def splits_of(held: str) -> str:
    """Return the common table expression `splits`: when each split reaches the shares of a portfolio.

    That is with the entry that stands for it, on whatever day its owner has it, else with the ex-date in the
    account's zone; and before all else where quantities were recorded that are adjusted already. `newest` is
    the day for whose share an adjusted series is, null for a raw one. `held` names the relation of portfolios
    and instruments; the statement must also contain `zones`.
    """
    return f"""splits AS MATERIALIZED (
    SELECT h.portfolio_id, h.instrument_id, x.ex_date, x.quantity, x.split_for, n.newest,
           CASE WHEN e.executed_at IS NULL AND EXISTS (
               SELECT FROM transactions t
               WHERE t.owner_id = $1 AND t.portfolio_id = h.portfolio_id AND t.instrument_id = h.instrument_id
                   AND t.is_split_adjusted AND {STANDS}
                   AND t.executed_at < x.ex_date::timestamp AT TIME ZONE z.time_zone
                   AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
           ) THEN '-infinity'
           ELSE coalesce(e.executed_at, x.ex_date::timestamp AT TIME ZONE z.time_zone) END AS at
    FROM (SELECT DISTINCT portfolio_id, instrument_id FROM {held}) h JOIN zones z USING (portfolio_id)
    JOIN instrument_splits x USING (instrument_id)
    LEFT JOIN LATERAL (
        SELECT min(t.executed_at) AS executed_at FROM transactions t
        WHERE t.owner_id = $1 AND t.portfolio_id = h.portfolio_id AND t.instrument_id = h.instrument_id
            AND t.type = 'SPLIT' AND t.quantity * x.split_for = t.split_for * x.quantity
            AND abs((t.executed_at AT TIME ZONE z.time_zone)::date - x.ex_date) <= 7 AND {STANDS}
    ) e ON true
    LEFT JOIN LATERAL (
        SELECT max(b.date) AS newest FROM price_bars b JOIN instruments i ON i.id = b.instrument_id
        WHERE b.instrument_id = h.instrument_id AND i.price_basis <> 'RAW'
    ) n ON true
)"""


def close_held(day: str, zone: str, portfolio: str) -> str:
    """Return the SQL of the close of the relation `x` for one of the portfolio's shares at a day's end.

    Where the close is for a new share and those are old ones it is multiplied by the split's ratio, and the
    other way round divided by it. The statement must also contain `splits`.
    """
    is_new = "f.ex_date <= coalesce(f.newest, x.date)"
    return f"""CASE WHEN NOT EXISTS (SELECT FROM splits f WHERE f.instrument_id = x.instrument_id)
        THEN x.close ELSE coalesce((
            SELECT (x.close * product(CASE WHEN {is_new} THEN f.quantity ELSE f.split_for END)
                   )::numeric(400, 60) / product(CASE WHEN {is_new} THEN f.split_for ELSE f.quantity END)
            FROM splits f WHERE f.portfolio_id = {portfolio} AND f.instrument_id = x.instrument_id
                AND ({is_new}) <> (f.at < ({day} + 1)::timestamp AT TIME ZONE {zone})
        ), x.close) END"""


def close_on(instrument: str, day: str, zone: str, *, shifted: bool, portfolio: str | None = None) -> str:
    """Return a join `b` with the `close` of a day, null without one.

    The close is for a share of that day, or with `portfolio` for one of the portfolio's shares at its end.
    """
    close = close_for(day) if portfolio is None else close_held(day, zone, portfolio)
    if not shifted:
        return f"""LEFT JOIN LATERAL (
            SELECT {close} AS close FROM ({closes(zone, shifted=False)}) x
            WHERE x.instrument_id = {instrument} AND x.day = {day}
        ) b ON true"""
    return f"""LEFT JOIN LATERAL (
        SELECT {close} AS close FROM ({closes(zone, shifted=shifted)}) x
        WHERE x.instrument_id = {instrument} AND x.day = {day}
            AND x.date BETWEEN {day} - 1 AND {day} + 1
        ORDER BY x.date DESC LIMIT 1
    ) b ON true"""


def older_prices(instrument: str, day: str, zone: str, *, shifted: bool, portfolio: str | None = None) -> str:
    """Return lateral joins for a day: `e` with the last close, and `o` with the last trade.

    `e` has the last `close` before the day and its `day`; `o` has the `price` and the `day` of the owner's
    last trade until its end, in any portfolio, per share as they are at that end.

    Both are null where `b` has a close, which is nearly always: the planner reads no further there.

    `$1` is the owner; `portfolio` as in `close_on`.
    """
    close = close_for(day) if portfolio is None else close_held(day, zone, portfolio)
    return f"""LEFT JOIN LATERAL (
        SELECT {close} AS close, x.day FROM ({closes(zone, shifted=shifted)}) x
        WHERE b.close IS NULL AND x.instrument_id = {instrument} AND x.day < {day} AND x.date <= {day}
        ORDER BY x.date DESC LIMIT 1
    ) e ON true
    LEFT JOIN LATERAL (
        SELECT coalesce((
                   -- Shares that were split since then are worth less each.
                   SELECT (l.price * product(t.split_for))::numeric(400, 60) / product(t.quantity)
                   FROM positions h JOIN transactions t ON t.owner_id = $1
                       AND t.portfolio_id = h.portfolio_id AND t.instrument_id = h.instrument_id
                   WHERE h.owner_id = $1 AND h.instrument_id = {instrument} AND t.type = 'SPLIT'
                       AND (t.executed_at, t.id) > (l.executed_at, l.id)
                       AND t.executed_at < ({day} + 1)::timestamp AT TIME ZONE {zone} AND {STANDS}
                   GROUP BY t.portfolio_id ORDER BY count(*) DESC LIMIT 1
               ), l.price) AS price, {day_of("l.executed_at", zone)} AS day
        FROM positions h CROSS JOIN LATERAL (
            SELECT t.price, t.executed_at, t.id FROM transactions t
            WHERE t.owner_id = $1 AND t.portfolio_id = h.portfolio_id AND t.instrument_id = h.instrument_id
                AND t.executed_at < ({day} + 1)::timestamp AT TIME ZONE {zone} AND {IS_TRADE}
            ORDER BY t.executed_at DESC, t.id DESC LIMIT 1
        ) l
        WHERE b.close IS NULL AND h.owner_id = $1 AND h.instrument_id = {instrument}
        ORDER BY l.executed_at DESC, l.id DESC LIMIT 1
    ) o ON true"""


def spacing_of_closes(instrument: str, zone: str, *, shifted: bool) -> str:
    """Return a lateral join `g` beside these: the `day` of the close before that of `e`."""
    return f"""LEFT JOIN LATERAL (
        SELECT x.day FROM ({closes(zone, shifted=shifted)}) x
        WHERE e.day IS NOT NULL AND x.instrument_id = {instrument} AND x.day < e.day AND x.date <= e.day
        ORDER BY x.date DESC LIMIT 1
    ) g ON true"""


def is_quoted(last: str, before: str, day: str) -> str:
    """Return the SQL of whether a close is still expected on a day, by the days of the last two closes.

    It is expected while it is missing for no longer than 10 days, or three times as long as the last one was.
    """
    return f"coalesce({day} - {last} <= greatest(10, 3 * ({last} - {before})), false)"


def quoted_until(portfolio: str, day: str, zone: str) -> str:
    """Return the last day on which a close of a portfolio's holdings at a day's end is expected.

    It is the last day if no close arrives: a scalar subquery, null where nothing held had a close until then.
    `$1` is the owner. It goes by the dates of the closes, which differ by a day at most in zones far away
    from the market.
    """
    return f"""(SELECT max(e.date + greatest(10, 3 * (e.date - g.date)))
        FROM (
            SELECT t.instrument_id FROM transactions t
            WHERE t.owner_id = $1 AND t.portfolio_id = {portfolio}
                AND t.executed_at < ({day} + 1)::timestamp AT TIME ZONE {zone}
            GROUP BY 1 HAVING sum(t.quantity_delta) <> 0
        ) held
        CROSS JOIN LATERAL (
            SELECT p.date FROM price_bars p WHERE p.instrument_id = held.instrument_id AND p.date <= {day}
            ORDER BY p.date DESC LIMIT 1
        ) e
        LEFT JOIN LATERAL (
            SELECT p.date FROM price_bars p WHERE p.instrument_id = held.instrument_id AND p.date < e.date
            ORDER BY p.date DESC LIMIT 1
        ) g ON true)"""


def price_at_end(day: str) -> str:
    """Return the price at a day's end, by the joins above.

    That is the day's close, its last trade, the last close, or for an instrument without one until then the
    last trade.
    """
    return f"coalesce(b.close, CASE WHEN o.day = {day} THEN o.price END, e.close, o.price)"
