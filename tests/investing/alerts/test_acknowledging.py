"""Old alerts are forgotten from the beginning of each user's sequence, and it is known how far."""

import datetime as dt
from uuid import UUID

import pytest

from db.alerts.writes import renew_epochs
from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity
from investing.actor import Actor
from investing.alerts import acknowledging
from investing.alerts.acknowledging import purge_alerts
from investing.alerts.raising import NewAlert, raise_alerts
from tests.investing.exchange import Exchange, alert_sequence


async def filled(sessions: Sessions, exchange: Exchange, count: int) -> Actor:
    """A user with so many alerts, one for each day until today."""
    actor, _ = await exchange.trader("1")
    alert = (AlertKind.CASH_BELOW, AlertSeverity.INFO, "Cash", "There is little.", {"value": "1"})
    async with sessions.begin(actor.id) as session:
        await raise_alerts(session, actor.id, [NewAlert(*alert) for _ in range(count)])
    await exchange.run(
        "UPDATE alerts SET created_at = now() - make_interval(days => $2::int - seq) WHERE owner_id = $1",
        actor.id,
        count,
    )
    return actor


async def left(sessions: Sessions, owner_id: UUID) -> tuple[list[int], int]:
    async with sessions.reading(owner_id) as connection:
        rows = await connection.fetch("SELECT seq FROM alerts WHERE owner_id = $1 ORDER BY seq", owner_id)
        place = await alert_sequence(connection, owner_id)
    assert place is not None
    return [row["seq"] for row in rows], place["purged_seq"]


async def test_what_is_old_goes(
    sessions: Sessions, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledging, "PURGED_AT_ONCE", 2)
    holder = await filled(sessions, exchange, 8)
    stranger = await filled(sessions, exchange, 2)
    assert await purge_alerts(sessions, dt.timedelta(days=3, hours=12)) == 4
    assert await left(sessions, holder.id) == ([5, 6, 7, 8], 4)
    assert await left(sessions, stranger.id) == ([1, 2], 0)
    assert await purge_alerts(sessions, dt.timedelta(days=3, hours=12)) == 0
    async with sessions.begin(holder.id) as session:
        alert = NewAlert(AlertKind.CASH_BELOW, AlertSeverity.INFO, "Cash", "Little.", {})
        raised = await raise_alerts(session, holder.id, [alert])
    assert raised is not None
    assert raised.first_seq == 9


async def test_another_epoch(sessions: Sessions, exchange: Exchange) -> None:
    holder = await filled(sessions, exchange, 1)
    async with sessions.reading(holder.id) as connection:
        before = await alert_sequence(connection, holder.id)
    async with sessions.begin(holder.id) as session:
        await renew_epochs(session, holder.id)
    async with sessions.reading(holder.id) as connection:
        after = await alert_sequence(connection, holder.id)
    assert before is not None
    assert after is not None
    assert (after["seq"], after["epoch"] == before["epoch"]) == (before["seq"], False)
