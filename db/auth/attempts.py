"""Rate limits of login attempts, counted across all processes; no viewer is set."""

import datetime as dt

from db.sessions import Sessions

# The generic cell rate algorithm (ITU-T I.371): one instant for each subject, which every attempt advances by
# a step and which may not be further away than the span. If it cannot be advanced, the limit is reached.
# By the clock and not by now(): a statement that has waited for the row began before those that it waited
# for, and would find the instant further away than it is.
_TAKE = """
WITH taken AS (
    INSERT INTO login_attempts AS a (subject, full_until) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (subject) DO UPDATE SET full_until = greatest(a.full_until, clock_timestamp()) + $2::interval
    WHERE greatest(a.full_until, clock_timestamp()) + $2::interval <= clock_timestamp() + $3::interval
    RETURNING subject
)
SELECT EXISTS (SELECT FROM taken) AS is_taken,
    (SELECT ceil(extract(epoch FROM full_until + $2::interval - $3::interval - now()))::int
     FROM login_attempts WHERE subject = $1) AS seconds
"""

_GIVE_BACK = "UPDATE login_attempts SET full_until = full_until - $2::interval WHERE subject = $1"

# An instant in the past means nothing any more; one that is being advanced right now is not in the past.
_PURGE = """
DELETE FROM login_attempts WHERE subject IN (
    SELECT subject FROM login_attempts WHERE full_until < now() FOR UPDATE SKIP LOCKED)
"""


async def take(sessions: Sessions, subject: bytes, step: dt.timedelta, span: dt.timedelta) -> int:
    """Count an attempt of the subject; return 0 if it is allowed, else the seconds until the next one is.

    A subject has `span / step` attempts at once, and another one every `step`.
    """
    async with sessions.nobody() as connection:
        row = await connection.fetchrow(_TAKE, subject, step, span)
    assert row is not None, "it has no FROM"
    # The statement's snapshot may be older than a concurrent attempt.
    return 0 if row["is_taken"] else max(1, row["seconds"] or 1)


async def give_back(sessions: Sessions, subject: bytes, step: dt.timedelta) -> None:
    """Take back one counted attempt."""
    async with sessions.nobody() as connection:
        await connection.execute(_GIVE_BACK, subject, step)


async def purge_attempts(sessions: Sessions) -> int:
    """Delete the expired counters; return how many."""
    async with sessions.nobody() as connection:
        return int((await connection.execute(_PURGE)).rpartition(" ")[2])
