"""Counting attempts to come in, the same count for all processes. On nobody's behalf."""

import datetime as dt

from db.sessions import Sessions

# The generic cell rate algorithm (ITU-T I.371): one instant for each subject, which every attempt moves on by
# a step and which may not be further away than the span. One that cannot be moved is full.
_TAKE = """
WITH taken AS (
    INSERT INTO login_attempts AS a (subject, full_until) VALUES ($1, now() + $2::interval)
    ON CONFLICT (subject) DO UPDATE SET full_until = greatest(a.full_until, now()) + $2::interval
    WHERE greatest(a.full_until, now()) + $2::interval <= now() + $3::interval
    RETURNING subject
)
SELECT EXISTS (SELECT FROM taken) AS is_taken,
    (SELECT ceil(extract(epoch FROM full_until + $2::interval - $3::interval - now()))::int
     FROM login_attempts WHERE subject = $1) AS seconds
"""

_GIVE_BACK = "UPDATE login_attempts SET full_until = full_until - $2::interval WHERE subject = $1"

# What is over says nothing any more; what somebody is just moving is not over.
_PURGE = """
DELETE FROM login_attempts WHERE subject IN (
    SELECT subject FROM login_attempts WHERE full_until < now() FOR UPDATE SKIP LOCKED)
"""


async def take(sessions: Sessions, subject: bytes, step: dt.timedelta, span: dt.timedelta) -> int:
    """One more attempt of the subject: 0 if it has one left, or else in how many seconds it will.

    There are `span / step` at once, and another one every `step`.
    """
    async with sessions.nobody() as connection:
        row = await connection.fetchrow(_TAKE, subject, step, span)
    assert row is not None, "it has no FROM"
    # The statement's snapshot may be older than who came before it.
    return 0 if row["is_taken"] else max(1, row["seconds"] or 1)


async def give_back(sessions: Sessions, subject: bytes, step: dt.timedelta) -> None:
    """One attempt less."""
    async with sessions.nobody() as connection:
        await connection.execute(_GIVE_BACK, subject, step)


async def purge_attempts(sessions: Sessions) -> int:
    """Delete what is over; return how much that was."""
    async with sessions.nobody() as connection:
        return int((await connection.execute(_PURGE)).rpartition(" ")[2])
