"""The stream of alerts: from any cursor on, in order, without a gap, and only one's own."""

import asyncio
import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from db.alerts.writes import purge, renew_epochs
from db.sessions import Session, Sessions
from db.vocabulary import AlertSeverity, Topic
from graph.alerts import subscriptions
from graph.ids import parse_global_id
from investing import notifier
from investing.alerts.following import BEFORE_THE_FIRST, AlertFilter, PositionLost, StreamPosition, next_page
from investing.alerts.raising import raise_alerts
from tests.graph.alerts.conftest import Recipient
from tests.graph.doing import open_account, open_portfolio
from tests.graph.streams import Stream, follow
from tests.investing.alerts.test_raising import alert

Make = Callable[[], Recipient]
FOLLOW = """subscription($after: String, $least: AlertSeverity, $portfolio: ID) {
  alerts(after: $after, minSeverity: $least, portfolioId: $portfolio) { cursor alert { title } } }"""


def titles(events: list[Any]) -> list[str]:
    return [event["alert"]["title"] for event in events]


def cursor_now(recipient: Recipient) -> str:
    cursor: str = recipient.api.data("{ me { alertsCursor } }")["me"]["alertsCursor"]
    return cursor


async def made(recipient: Make) -> tuple[Recipient, str]:
    return await asyncio.to_thread(lambda: (someone := recipient(), cursor_now(someone)))


async def purged(someone: Recipient) -> int:
    async with someone.sessions.begin(someone.id) as session:
        return await purge(session, someone.id, 0, 1_000)


async def test_what_was_missed_comes_first_and_then_what_happens(recipient: Make) -> None:
    """More than two pages, and each cursor is a place to go on from."""
    someone, start = await made(recipient)
    missed = await someone.alert(250)
    async with follow(someone.api, FOLLOW, after=start) as stream:
        events = await stream.some(250)
        assert titles(events) == missed
        live = await someone.alert(3)
        events += await stream.some(3)
        assert titles(events) == missed + live
        assert await stream.is_silent(1.5)
    assert len({event["cursor"] for event in events}) == 253
    for last in (0, 99, 100, 251):
        async with follow(someone.api, FOLLOW, after=events[last]["cursor"]) as stream:
            assert titles(await stream.some(252 - last)) == titles(events[last + 1 :])
    assert await asyncio.to_thread(cursor_now, someone) == events[-1]["cursor"]


async def test_an_alert_of_another_process_is_told_at_once(
    recipient: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> dict[Any, int]:
        return {}

    # So that no look at the counters finds it.
    monkeypatch.setattr(notifier, "changed_counts", nothing)
    someone, start = await made(recipient)
    async with follow(someone.api, FOLLOW, begins=True, after=start) as stream:
        for _ in range(5):
            await someone.alert()
            await stream.next()


async def test_an_alert_that_nobody_tells_of_is_found(recipient: Make) -> None:
    someone, start = await made(recipient)
    async with follow(someone.api, FOLLOW, begins=True, after=start) as stream:
        for _ in range(2):
            await someone.alert(is_told=False)
            await stream.next()


async def test_without_a_cursor_only_what_happens_from_now_on(recipient: Make) -> None:
    someone, _ = await made(recipient)
    await someone.alert(3)
    async with follow(someone.api, FOLLOW, begins=True) as stream:
        assert await stream.is_silent(1.5)
        assert titles([await _after(someone, stream)]) == ["alert 4"]


async def _after(someone: Recipient, stream: Stream) -> Any:
    await someone.alert()
    return await stream.next()


async def test_nobody_is_told_of_anothers_alerts(recipient: Make) -> None:
    (someone, _), (other, start) = await made(recipient), await made(recipient)
    async with follow(other.api, FOLLOW, after=start) as stream:
        await someone.alert(3)
        assert await stream.is_silent(2)


async def test_filters_leave_out_and_the_place_goes_on(recipient: Make, sessions: Sessions) -> None:
    someone, start = await made(recipient)
    portfolio = await asyncio.to_thread(
        lambda: open_portfolio(someone.api, open_account(someone.api), strategy="EQUAL_WEIGHT")
    )
    about = parse_global_id(portfolio)[1]
    async with (
        follow(someone.api, FOLLOW, after=start, least="WARNING") as grave,
        follow(someone.api, FOLLOW, after=start, portfolio=portfolio) as of_one,
    ):
        await someone.alert(120)
        warned = await someone.alert(severity=AlertSeverity.WARNING)
        ours = await someone.alert(severity=AlertSeverity.CRITICAL, portfolio_id=about)
        assert titles(await grave.some(2)) == warned + ours
        assert titles(await of_one.some(1)) == ours
        await someone.alert(120)
        await asyncio.sleep(1.5)
        # All of it is gone, and both have read on past it: they have missed nothing.
        assert await purged(someone) == 242
        more = await someone.alert(severity=AlertSeverity.WARNING, portfolio_id=about)
        for stream in (grave, of_one):
            assert titles(await stream.some(1)) == more
    async with follow(someone.api, FOLLOW, after=start) as stream:
        assert (await stream.errors())[0]["extensions"]["reason"] == "PURGED"


async def test_a_cursor_that_nothing_can_follow(recipient: Make) -> None:
    someone, start = await made(recipient)
    await someone.alert(5)
    async with follow(someone.api, FOLLOW, after=start) as stream:
        cursors = [event["cursor"] for event in await stream.some(5)]
    assert await purged(someone) == 5
    await someone.alert(2)
    latest = await asyncio.to_thread(cursor_now, someone)
    async with follow(someone.api, FOLLOW, after=cursors[3]) as stream:
        (error,) = await stream.errors()
    assert error["extensions"] == {
        "code": "RESYNC_REQUIRED",
        "reason": "PURGED",
        "oldestCursor": cursors[4],
        "latestCursor": latest,
    }
    async with follow(someone.api, FOLLOW, after=cursors[4]) as stream:
        assert titles(await stream.some(2)) == ["alert 6", "alert 7"]
    place = StreamPosition.of(latest)
    ahead = StreamPosition(place.epoch, place.seq + 1).cursor
    async with someone.sessions.begin(someone.id) as session:
        await renew_epochs(session, someone.id)
    renewed = StreamPosition.of(await asyncio.to_thread(cursor_now, someone))
    assert renewed.epoch != place.epoch
    for cursor in (latest, ahead, StreamPosition(renewed.epoch, 8).cursor):
        async with follow(someone.api, FOLLOW, after=cursor) as stream:
            (error,) = await stream.errors()
        assert error["extensions"] == {
            "code": "RESYNC_REQUIRED",
            "reason": "REPLACED",
            "oldestCursor": StreamPosition(renewed.epoch, 5).cursor,
            "latestCursor": renewed.cursor,
        }


async def test_a_stream_whose_place_goes_under_it_says_so(recipient: Make, sessions: Sessions) -> None:
    """An open stream with a new epoch, and a reader so slow that what it had not read is purged."""
    someone, start = await made(recipient)
    await someone.alert(2)
    async with follow(someone.api, FOLLOW, after=start) as stream:
        await stream.some(2)
        async with someone.sessions.begin(someone.id) as session:
            await renew_epochs(session, someone.id)
        assert (await stream.errors())[0]["extensions"]["reason"] == "REPLACED"
    place = StreamPosition.of(await asyncio.to_thread(cursor_now, someone))
    async with sessions.reading(someone.id) as connection:
        page = await next_page(connection, someone.id, StreamPosition(place.epoch, 0), AlertFilter(), most=1)
        assert (page.position.seq, page.is_full) == (1, True)
    await purged(someone)
    async with sessions.reading(someone.id) as connection:
        with pytest.raises(PositionLost) as lost:
            await next_page(connection, someone.id, page.position, AlertFilter())
    assert (lost.value.is_purged, lost.value.oldest, lost.value.latest) == (True, place, place)


async def test_anothers_cursor_is_one_of_another_epoch(recipient: Make) -> None:
    (someone, _), (other, _) = await made(recipient), await made(recipient)
    for each in (someone, other):
        await each.alert(2)
    own = await asyncio.to_thread(cursor_now, other)
    answers = []
    for cursor in (await asyncio.to_thread(cursor_now, someone), StreamPosition(uuid.uuid4(), 2).cursor):
        async with follow(other.api, FOLLOW, after=cursor) as stream:
            answers.append(await stream.errors())
    assert answers[0] == answers[1]
    assert answers[0][0]["extensions"]["latestCursor"] == own
    assert StreamPosition.of(own).seq == 2


async def test_what_is_no_cursor(recipient: Make) -> None:
    someone, start = await made(recipient)
    assert StreamPosition.of(start) == StreamPosition(BEFORE_THE_FIRST, 0)
    long = base64.urlsafe_b64encode(b"\x01" + bytes(16) + b"\xff" * 8).decode()
    for text in ("", "x", "ö", start[:-4], start + "AAAA", start.rstrip("=") + "\n", long, "A" * 10_000):
        async with follow(someone.api, FOLLOW, after=text) as stream:
            (error,) = await stream.errors()
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_each_event_is_read_anew(recipient: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was read for one event is remembered for the next."""
    # A check of the login forgets as well.
    monkeypatch.setattr(subscriptions, "CHECKED_SECONDS", 60.0)
    someone, start = await made(recipient)

    def portfolio_of() -> tuple[str, str]:
        account = open_account(someone.api)
        return account, open_portfolio(someone.api, account, strategy="EQUAL_WEIGHT")

    _, portfolio = await asyncio.to_thread(portfolio_of)
    about = parse_global_id(portfolio)[1]
    query = "subscription($after: String) { alerts(after: $after) { alert { portfolio { name } } } }"
    rename = """mutation($id: ID!, $name: String!) {
      updatePortfolio(input: { portfolioId: $id, name: $name }) {
        portfolio { name } userErrors { message } } }"""
    async with follow(someone.api, query, after=start) as stream:
        for name in ("one", "two"):
            await asyncio.to_thread(someone.api.data, rename, id=portfolio, name=name)
            await someone.alert(portfolio_id=about)
            assert await stream.next() == {"alert": {"portfolio": {"name": name}}}


async def test_a_late_commit_is_not_skipped(recipient: Make) -> None:
    """One that took its number earlier holds up whoever comes later, so that no reader passes it over."""
    someone, start = await made(recipient)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def late(session: Session) -> None:
        await raise_alerts(session, someone.id, [alert("late")])
        begun.set()
        await go_on.wait()

    async with follow(someone.api, FOLLOW, after=start) as stream:
        first = asyncio.create_task(someone.sessions.transact(someone.id, late))
        await begun.wait()
        second = asyncio.create_task(someone.alert())
        assert await stream.is_silent(1.5)
        go_on.set()
        await asyncio.gather(first, second)
        await someone.line.publish([(someone.id, Topic.ALERTS)])
        assert titles(await stream.some(2)) == ["late", "alert 1"]
