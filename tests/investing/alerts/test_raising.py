"""Numbers of alerts: without a gap, in the order of their commits, whoever takes them and whoever fails."""

import asyncio
from uuid import UUID

import pytest

from db.sessions import Session, Sessions
from db.vocabulary import AlertKind, AlertSeverity
from investing.alerts.raising import NewAlert, raise_alerts
from tests.investing.exchange import Exchange, alert_sequence


def alert(title: str = "Cash") -> NewAlert:
    return NewAlert(AlertKind.CASH_BELOW, AlertSeverity.INFO, title, "There is little.", {"value": "1"})


async def titles(sessions: Sessions, owner_id: UUID) -> list[tuple[int, str]]:
    async with sessions.reading(owner_id) as connection:
        rows = await connection.fetch(
            "SELECT seq, title FROM alerts WHERE owner_id = $1 ORDER BY seq", owner_id
        )
    return [(row["seq"], row["title"]) for row in rows]


async def test_each_user_counts_alone(sessions: Sessions, exchange: Exchange) -> None:
    holder, _ = await exchange.trader("1")
    stranger, _ = await exchange.trader("1")
    async with sessions.reading(holder.id) as connection:
        assert await alert_sequence(connection, holder.id) is None
    async with sessions.begin(holder.id) as session:
        assert await raise_alerts(session, holder.id, []) is None
        raised = await raise_alerts(session, holder.id, [alert("a"), alert("b")])
    assert raised is not None
    assert raised.first_seq == 1
    async with sessions.begin(stranger.id) as session:
        other = await raise_alerts(session, stranger.id, [alert("c")])
    assert other is not None
    assert other.first_seq == 1
    assert other.epoch != raised.epoch
    async with sessions.begin(holder.id) as session:
        again = await raise_alerts(session, holder.id, [alert("d")])
    assert again is not None
    assert (again.epoch, again.first_seq) == (raised.epoch, 3)
    assert await titles(sessions, holder.id) == [(1, "a"), (2, "b"), (3, "d")]
    async with sessions.reading(holder.id) as connection:
        place = await alert_sequence(connection, holder.id)
    assert place is not None
    assert dict(place) == {"epoch": raised.epoch, "seq": 3, "purged_seq": 0}


async def test_what_is_undone_leaves_no_gap(sessions: Sessions, exchange: Exchange) -> None:
    holder, _ = await exchange.trader("1")

    async def fail() -> None:
        async with sessions.begin(holder.id) as session:
            await raise_alerts(session, holder.id, [alert("lost")])
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await fail()
    async with sessions.begin(holder.id) as session:
        await raise_alerts(session, holder.id, [alert("kept")])
    assert await titles(sessions, holder.id) == [(1, "kept")]


async def test_numbers_are_committed_in_their_order(sessions: Sessions, exchange: Exchange) -> None:
    """A reader that goes on from the last number it saw never passes one over."""
    holder, _ = await exchange.trader("1")
    seen: list[int] = []
    done = asyncio.Event()

    async def write(at: int) -> None:
        async def work(session: Session) -> None:
            await raise_alerts(session, holder.id, [alert(str(at))])
            # Held open for a while after the number is taken: a later one must not overtake it.
            await asyncio.sleep(0.001 * (at % 3))

        await sessions.transact(holder.id, work)

    async def read() -> None:
        while True:
            is_last = done.is_set()
            async with sessions.reading(holder.id) as connection:
                rows = await connection.fetch(
                    "SELECT seq FROM alerts WHERE owner_id = $1 AND seq > $2 ORDER BY seq",
                    holder.id,
                    seen[-1] if seen else 0,
                )
            seen.extend(row["seq"] for row in rows)
            if is_last:
                return

    reading = asyncio.create_task(read())
    for start in range(0, 60, 6):
        await asyncio.gather(*(write(at) for at in range(start, start + 6)))
    done.set()
    await reading
    assert seen == list(range(1, 61))
