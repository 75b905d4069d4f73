"""Splits of instruments: recording them, their effect on prices in SQL, and the work of posting them.

The database's functions `restated` and `close_on` convert a price for a share of one day to a share of
another; `investing.rules.trading.splits` does the same. The view `split_factors` has the factors by spans of
days: a share of a day in a span is `quantity / split_for` shares of the newest day. Days are the market's:
New York's, as everywhere.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from db.claims import SplitClaim
from db.market.rows import JumpRow, KnownDayRow, RatioRow, SplitRow
from db.models import Instrument, InstrumentSplit, SplitWork
from db.sessions import Connection, Session, Sessions

MARKET_TODAY = "(clock_timestamp() AT TIME ZONE 'America/New_York')::date"
"""The market's day, in SQL."""

QUOTE_UNITS = "coalesce(q.units_of, (q.as_of AT TIME ZONE 'America/New_York')::date)"
"""The day for whose share a quote `q` is, in SQL."""

QUOTE_TODAY = f"round(restated(q.price, q.instrument_id, {QUOTE_UNITS}, {MARKET_TODAY}), 10)"
"""The price of a quote `q` for a share of today, in SQL."""


def comparable(close: str, instrument: str, bar: str, wanted: str) -> str:
    """Return the SQL of `close_on` that calls the function only where the instrument has splits.

    So a whole series of an instrument without splits costs nothing more; where many series are read, join
    `split_factors` instead.
    """
    return (
        f"CASE WHEN EXISTS (SELECT FROM instrument_splits x WHERE x.instrument_id = {instrument}) "
        f"THEN close_on({close}, {instrument}, {bar}, {wanted}) ELSE {close} END"
    )


async def find_splits(session: Session, instrument_id: UUID) -> Sequence[RatioRow]:
    """Return `ex_date`, `quantity` and `split_for` of an instrument's splits, oldest first."""
    statement = select(InstrumentSplit.ex_date, InstrumentSplit.quantity, InstrumentSplit.split_for)
    statement = statement.where(InstrumentSplit.instrument_id == instrument_id)
    return cast(
        "Sequence[RatioRow]",
        (await session.execute(statement.order_by(InstrumentSplit.ex_date))).mappings().all(),
    )


async def fetch_splits(connection: Connection, instrument_ids: Sequence[UUID]) -> Sequence[SplitRow]:
    """Return the splits of these instruments, oldest first."""
    return cast(
        "Sequence[SplitRow]",
        await connection.fetch(
            "SELECT instrument_id, ex_date, quantity, split_for FROM instrument_splits "
            "WHERE instrument_id = ANY($1::uuid[]) ORDER BY instrument_id, ex_date",
            instrument_ids,
        ),
    )


# A split may become known that lies before the day that a quote is for, and after the day on which it was
# made: then the quote goes back to the day before the split, by the splits that it has followed, and follows
# all of them again.
_REWOUND = f"""
UPDATE quotes q SET price = CASE WHEN q.price > 0 THEN greatest(
        round(restated(q.price, q.instrument_id, {QUOTE_UNITS}, r.day), 10), 0.0000000001) ELSE 0 END,
    previous_price = CASE WHEN q.previous_price > 0 THEN greatest(
        round(restated(q.previous_price, q.instrument_id, {QUOTE_UNITS}, r.day), 10), 0.0000000001
    ) ELSE q.previous_price END,
    units_of = r.day
FROM (SELECT q.instrument_id, min(x.ex_date) - 1 AS day FROM quotes q JOIN {{splits}} USING (instrument_id)
      WHERE (q.as_of AT TIME ZONE 'America/New_York')::date < x.ex_date AND x.ex_date <= {QUOTE_UNITS}
      GROUP BY 1) r
WHERE q.instrument_id = r.instrument_id
"""


async def rewind_quote(session: Session, instrument_id: UUID, ex_date: dt.date) -> None:
    """Convert a quote from before this day to a share of the day before it, if it was for a later one's.

    Call it before a split of the day is recorded or removed; `follow_quotes` converts onwards from there.
    """
    given = "(SELECT CAST(:instrument AS uuid) AS instrument_id, CAST(:day AS date) AS ex_date) x"
    statement = text(_REWOUND.format(splits=given))
    await session.execute(statement, {"instrument": instrument_id, "day": ex_date})


async def insert_split(
    session: Session, instrument_id: UUID, ex_date: dt.date, quantity: Decimal, split_for: Decimal
) -> None:
    """Add a split, and the work of posting it; the instrument's row is locked."""
    await rewind_quote(session, instrument_id, ex_date)
    key = {"instrument_id": instrument_id, "ex_date": ex_date}
    await session.execute(insert(InstrumentSplit).values(**key, quantity=quantity, split_for=split_for))
    await session.execute(text(ADD_WORK), {"instruments": [instrument_id], "days": [ex_date]})


async def find_instrument(session: Session, symbol: str) -> UUID | None:
    """Return the id of the shared instrument with this symbol."""
    shared = (Instrument.symbol == symbol, Instrument.owner_id.is_(None))
    found = await session.execute(select(Instrument.id).where(*shared))
    return found.scalar_one_or_none()


async def lock_splits(session: Session) -> None:
    """Lock the recording of splits until the transaction ends: one at a time is enough."""
    await session.execute(text("LOCK TABLE split_work IN SHARE ROW EXCLUSIVE MODE"))


ADD_WORK = """
INSERT INTO split_work (instrument_id, ex_date, due_at)
SELECT w.id, w.day, w.day::timestamp AT TIME ZONE 'America/New_York'
FROM unnest(CAST(:instruments AS uuid[]), CAST(:days AS date[])) AS w(id, day)
ON CONFLICT (instrument_id, ex_date) DO UPDATE SET due_at = excluded.due_at, after_owner = NULL
"""

_ADD_RECENT = f"""
INSERT INTO split_work (instrument_id, ex_date, due_at)
SELECT x.instrument_id, x.ex_date, clock_timestamp() FROM instrument_splits x
WHERE x.instrument_id = ANY(:instruments) AND x.ex_date BETWEEN {MARKET_TODAY} - 2 AND {MARKET_TODAY}
ON CONFLICT (instrument_id, ex_date) DO UPDATE SET due_at = excluded.due_at, after_owner = NULL
"""


async def add_recent_work(session: Session, instrument_ids: Sequence[UUID]) -> None:
    """Make the splits of the last few days due again: some may begin later in a new time zone."""
    statement = text(_ADD_RECENT).bindparams(bindparam("instruments", type_=ARRAY(PgUUID(as_uuid=True))))
    await session.execute(statement, {"instruments": list(instrument_ids)})


# Where a split with this ratio is known on a nearby day, it is the same one. Where there are no users yet,
# nothing has to be posted: users who come later get the split when they record what they hold.
_ADD = f"""
WITH added AS (
    INSERT INTO instrument_splits (instrument_id, ex_date, quantity, split_for)
    SELECT i.id, s.date, s.quantity, s.split_for
    FROM ({{source}}) AS s (symbol, date, quantity, split_for)
    JOIN instruments i ON i.symbol = s.symbol AND i.owner_id IS NOT DISTINCT FROM $1::uuid
    WHERE NOT EXISTS (
        SELECT FROM instrument_splits k WHERE k.instrument_id = i.id
            AND abs(k.ex_date - s.date) <= 7 AND k.quantity * s.split_for = k.split_for * s.quantity
    )
    ON CONFLICT (instrument_id, ex_date) DO NOTHING
    RETURNING instrument_id, ex_date
), rewound AS (
    {_REWOUND.format(splits="added x")}
), work AS (
    INSERT INTO split_work (instrument_id, ex_date, due_at)
    SELECT instrument_id, ex_date, ex_date::timestamp AT TIME ZONE 'America/New_York' FROM added
    WHERE EXISTS (SELECT FROM logins)
    ON CONFLICT (instrument_id, ex_date) DO UPDATE SET due_at = excluded.due_at, after_owner = NULL
)
SELECT count(*)::int FROM added
"""

_STAGED = "SELECT symbol, date, split_quantity, split_for FROM staged_bars WHERE split_quantity IS NOT NULL"
_GIVEN = "SELECT * FROM unnest($2::text[], $3::date[], $4::numeric[], $5::numeric[])"

CONTRADICTED = """
SELECT s.line, trim_scale(k.quantity) AS quantity, trim_scale(k.split_for) AS split_for
FROM staged_bars s JOIN instruments i ON i.symbol = s.symbol AND i.owner_id IS NOT DISTINCT FROM $1::uuid
JOIN instrument_splits k ON k.instrument_id = i.id AND k.ex_date = s.date
WHERE s.split_quantity IS NOT NULL AND k.quantity * s.split_for <> k.split_for * s.split_quantity
ORDER BY s.line
"""
"""The lines of a file whose split of a day is stored with another ratio, and that ratio."""


class NewSplit(NamedTuple):
    """A split to be added."""

    symbol: str
    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal


async def add_staged_splits(connection: Connection, owner_id: UUID | None) -> int:
    """Add the splits of staged bars that are not known, and the work of posting them; return how many.

    `owner_id` is the owner of their instruments, None for shared ones.
    """
    added: int = await connection.fetchval(_ADD.format(source=_STAGED), owner_id)
    return added


async def add_splits(connection: Connection, splits: Sequence[NewSplit]) -> int:
    """Add those splits of shared instruments that are not known, and the work of posting them.

    Returns how many were added.
    """
    columns = [[split[place] for split in splits] for place in range(4)]
    added: int = await connection.fetchval(_ADD.format(source=_GIVEN), None, *columns)
    return added


FOLLOW_QUOTES = f"""
UPDATE quotes q SET price = CASE WHEN q.price > 0 THEN greatest({QUOTE_TODAY}, 0.0000000001) ELSE 0 END,
    previous_price = CASE WHEN q.previous_price > 0 THEN greatest(
        round(restated(q.previous_price, q.instrument_id, {QUOTE_UNITS}, {MARKET_TODAY}), 10), 0.0000000001
    ) ELSE q.previous_price END,
    units_of = {MARKET_TODAY}
WHERE EXISTS (
    SELECT FROM instrument_splits s
    WHERE s.instrument_id = q.instrument_id AND s.ex_date > {QUOTE_UNITS} AND s.ex_date <= {MARKET_TODAY}
)
"""


async def follow_quotes(session: Session) -> None:
    """Convert every quote that is older than a split to a share of today.

    Until a tick of the new day arrives, shares after a split are together worth what they were before it.
    """
    await session.execute(text(FOLLOW_QUOTES))


class Work(NamedTuple):
    """A split to be posted to its holders, starting with the owner after `after_owner`.

    `symbol` is None for a user's own instrument, which only its owner sees.
    """

    instrument_id: UUID
    symbol: str | None
    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal
    after_owner: UUID | None


async def find_work(sessions: Sessions, claim: SplitClaim) -> Work:
    """Return the claimed split."""
    statement = (
        select(Instrument.symbol, InstrumentSplit.quantity, InstrumentSplit.split_for)
        .select_from(InstrumentSplit)
        .outerjoin(Instrument, Instrument.id == InstrumentSplit.instrument_id)
        .where(InstrumentSplit.instrument_id == claim.instrument_id, InstrumentSplit.ex_date == claim.ex_date)
    )
    async with sessions.begin(None) as session:
        row = (await session.execute(statement)).one()
    return Work(
        claim.instrument_id, row.symbol, claim.ex_date, row.quantity, row.split_for, claim.after_owner
    )


async def find_owners(sessions: Sessions, after: UUID | None, most: int) -> Sequence[UUID]:
    """Return the next users in the order of their ids."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT user_id FROM logins WHERE $1::uuid IS NULL OR user_id > $1 ORDER BY 1 LIMIT $2",
            after,
            most,
        )
    return [row["user_id"] for row in rows]


_GO_ON = """
UPDATE split_work SET after_owner = :after, due_at = clock_timestamp(),
    again_at = least(again_at, CAST(:again AS timestamptz))
WHERE instrument_id = :instrument AND ex_date = :day
"""

_BEGIN_AGAIN = """
UPDATE split_work
SET after_owner = NULL, due_at = least(again_at, CAST(:again AS timestamptz)), again_at = NULL
WHERE instrument_id = :instrument AND ex_date = :day
    AND least(again_at, CAST(:again AS timestamptz)) IS NOT NULL
RETURNING due_at
"""


async def go_on_after(session: Session, work: Work, owner_id: UUID, again_at: dt.datetime | None) -> None:
    """Record that the owners up to this one are done; all are to be visited once more at `again_at`."""
    values = {"after": owner_id, "again": again_at, "instrument": work.instrument_id, "day": work.ex_date}
    await session.execute(text(_GO_ON), values)


async def end_round(session: Session, work: Work, again_at: dt.datetime | None) -> None:
    """Record that all owners are done: the work ends, or is repeated at `again_at` for later ex-dates."""
    values = {"again": again_at, "instrument": work.instrument_id, "day": work.ex_date}
    if (await session.execute(text(_BEGIN_AGAIN), values)).first() is None:
        mine = (SplitWork.instrument_id == work.instrument_id, SplitWork.ex_date == work.ex_date)
        await session.execute(delete(SplitWork).where(*mine))


# Only factors that a usual ratio can be near to; a jump near a known split of about that time is left out.
_JUMPS = """
WITH steps AS (
    SELECT b.instrument_id, b.date, b.close, lag(b.close) OVER day AS before,
           b.adjusted_close / b.close AS k, lag(b.adjusted_close / b.close) OVER day AS k_before
    FROM price_bars b JOIN instruments i ON i.id = b.instrument_id AND i.price_basis = 'RAW'
    WHERE b.close > 0
    WINDOW day AS (PARTITION BY b.instrument_id ORDER BY b.date)
)
SELECT i.symbol, s.date, s.before, s.close, s.k / s.k_before AS factor
FROM steps s JOIN instruments i ON i.id = s.instrument_id
WHERE (s.before > s.close * 1.4 OR s.close > s.before * 1.4) AND NOT EXISTS (
    SELECT FROM instrument_splits x WHERE x.instrument_id = s.instrument_id AND abs(x.ex_date - s.date) <= 7
)
ORDER BY i.symbol, s.date
"""

_KNOWN_DAYS = """
SELECT i.symbol, i.price_basis, x.ex_date, x.quantity, x.split_for, b.date, b.close, p.close AS before
FROM instrument_splits x JOIN instruments i ON i.id = x.instrument_id
CROSS JOIN LATERAL (SELECT date, close FROM price_bars WHERE instrument_id = x.instrument_id
                    AND date >= x.ex_date ORDER BY date LIMIT 1) b
CROSS JOIN LATERAL (SELECT close FROM price_bars WHERE instrument_id = x.instrument_id
                    AND date < x.ex_date ORDER BY date DESC LIMIT 1) p
WHERE b.close > 0 AND p.close > 0
ORDER BY i.symbol, x.ex_date
"""


async def fetch_jumps(connection: Connection) -> Sequence[JumpRow]:
    """Return the days on which a raw close jumped, without those near a known split.

    `factor` is how much the adjusted close rose against the raw one, null where one of them is not known.
    """
    return cast("Sequence[JumpRow]", await connection.fetch(_JUMPS))


async def fetch_known_days(connection: Connection) -> Sequence[KnownDayRow]:
    """Return the closes before and from each ex-date on, with the split and the series' stated basis."""
    return cast("Sequence[KnownDayRow]", await connection.fetch(_KNOWN_DAYS))
