"""An account's time zone decides which day a moment is on: what is posted, reversed, imported and priced."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal

import asyncpg
import pytest

from commands.opening import Stop, check_time_zone
from db.account.writes import lock_account, lock_portfolios, mark_all_stale, update_account
from db.market.bars import DailyBar, bar_load
from db.sessions import Sessions
from db.vocabulary import AccountType, Broker, TransactionType
from investing.account.service import NewAccount, change_account, create_account
from investing.auth.profile import change_user
from investing.portfolio.snapshots import refresh
from investing.rules import time_zones
from investing.rules.errors import InsufficientCash, InsufficientShares, InvalidInput, NotFound
from investing.trading.recording import TransactionRequest, record_transaction
from settings import Settings
from tests.investing.portfolio.days import fetch
from tests.investing.trading.ledgers import import_csv
from tests.investing.trading.world import World, make_world, open_portfolio

D = Decimal
NIGHT = "2024-01-09T23:30:00Z"
"""00:30 on the 10th in Berlin, 18:30 on the 9th in New York, 08:30 on the 10th in Tokyo."""

MARKS = "SELECT id, snapshots_stale_from AS mark FROM portfolios WHERE owner_id = $1"


async def marks(world: World) -> list[str | None]:
    """From which day on the snapshots of each of the world's portfolios are stale."""
    found = {row["id"]: row["mark"] for row in await world.rows(MARKS)}
    return [None if found[id] is None else found[id].isoformat() for id in world.portfolios]


async def clear(world: World) -> None:
    """Computes what is stale."""
    for id in world.portfolios:
        await refresh(world.actor.sessions, world.actor.id, id)
    assert set(await marks(world)) == {None}


async def post(world: World, type: str, at: str, at_portfolio: int = 0, **facts: str) -> uuid.UUID:
    """Records a transaction of that instant; of ABC where it has a quantity."""
    given = {name: D(value) for name, value in facts.items()}
    record = TransactionRequest(
        portfolio_id=world.portfolios[at_portfolio],
        type=TransactionType(type),
        symbol="ABC" if "quantity" in facts else None,
        quantity=given.get("quantity"),
        price=given.get("price"),
        amount=given.get("amount"),
        commission=D(0),
        split_for=given.get("split_for"),
        executed_at=dt.datetime.fromisoformat(at),
        notes=None,
    )
    return await record_transaction(world.actor, record, str(uuid.uuid4()))


async def make_tokyo(world: World) -> int:
    """Adds a portfolio of an account in Tokyo; its place among the world's."""
    new = NewAccount("Tokyo", Broker.PAPER, AccountType.CASH, "USD", D(0), True, "Asia/Tokyo")
    world.portfolios.append(await open_portfolio(world.actor, await create_account(world.actor, new), "T"))
    return len(world.portfolios) - 1


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str) -> World:
    """Two portfolios with a million each since April 2017, in an account in Berlin, all of it valued."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    await fetch(superuser_url, "DELETE FROM price_bars")
    await change_account(made.actor, made.account_id, time_zone="Europe/Berlin")
    await clear(made)
    return made


async def test_what_is_posted_is_of_the_accounts_day(world: World) -> None:
    # The last entry; then one before it; a split; and its reversal.
    bought = await post(world, "BUY", NIGHT, quantity="10", price="10")
    assert await marks(world) == ["2024-01-10", None]
    await clear(world)
    await post(world, "BUY", "2023-07-01T22:00:00Z", quantity="10", price="10")
    assert await marks(world) == ["2023-07-02", None]
    await clear(world)
    await post(world, "SPLIT", "2024-02-01T23:00:00Z", quantity="2", split_for="1")
    assert await marks(world) == ["2024-02-02", None]
    await clear(world)
    await world.reverse(bought)
    assert await marks(world) == ["2024-01-10", None]
    await clear(world)
    rows = "DEPOSIT,,,,7,,,2024-03-30T23:00:00Z,\nFEE,,,,1,,,2024-05-01T00:00:00Z,\n"
    await import_csv(world.actor, world.portfolios[1], rows)
    assert await marks(world) == [None, "2024-03-31"]


async def test_shares_that_move_between_two_places(world: World) -> None:
    """Into an account in Tokyo: the same instant is of another day at each end."""
    await post(world, "BUY", "2024-01-02T12:00:00Z", quantity="10", price="10")
    other = await make_tokyo(world)
    await clear(world)
    # 16:30 UTC on the 9th: 17:30 in Berlin, 01:30 on the 10th in Tokyo.
    day = (dt.datetime(2024, 1, 9, 16, 30, tzinfo=dt.UTC) - dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)).days
    await world.move(day + 4.5 / 24, "5", 0, other)
    assert await marks(world) == ["2024-01-09", None, "2024-01-10"]


async def test_another_time_zone_cuts_all_days_anew(
    world: World, sessions: Sessions, superuser_url: str
) -> None:
    # 02:00 UTC: in Berlin the first day of the year, in New York the last one of the year before.
    await post(world, "DEPOSIT", "2016-01-01T02:00:00Z", amount="1")
    world.portfolios.append(await open_portfolio(world.actor, world.account_id, "Empty"))
    await clear(world)
    await change_account(world.actor, world.account_id, name="Same", time_zone="Europe/Berlin")
    assert await marks(world) == [None, None, None]
    for time_zone in ("America/New_York", "Asia/Tokyo"):
        await change_account(world.actor, world.account_id, time_zone=time_zone)
        # Of the days of before there may be snapshots, which must go; what is empty has no day at all.
        assert await marks(world) == ["2015-12-31", "2017-04-06", None]
    noted = "SELECT details FROM audit_log WHERE owner_id = $1 AND action = 'account.time_zone_changed'"
    last = [row["details"] for row in await world.rows(noted + " ORDER BY id")][-1]
    assert last == {"time_zone": "Asia/Tokyo", "before": "America/New_York"}
    stranger = await make_world(sessions, superuser_url)
    with pytest.raises(NotFound):
        await change_account(stranger.actor, world.account_id, time_zone="UTC")
    assert await zone(world) == "Asia/Tokyo"


async def zone(world: World) -> object:
    """The time zone of the world's account."""
    return (await world.rows("SELECT time_zone FROM accounts WHERE owner_id = $1"))[0]["time_zone"]


async def test_one_that_only_python_knows(
    world: World, superuser_url: str, app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before anything changes; and nothing can put one into a row, where it would stop everybody."""
    monkeypatch.setattr(time_zones, "_known", lambda: frozenset({"Mars/Olympus"}))
    with pytest.raises(InvalidInput) as refused:
        await change_account(world.actor, world.account_id, name="B", time_zone="Mars/Olympus")
    assert refused.value.field == ("timeZone",)
    with pytest.raises(InvalidInput):
        await change_user(world.actor, {"time_zone": "Mars/Olympus"})
    with pytest.raises(Stop, match=r"GRAPHFOLIO_TIME_ZONE: PostgreSQL does not know Mars/Olympus"):
        await asyncio.to_thread(check_time_zone, Settings(_env_file=None, time_zone="Mars/Olympus"), app_url)
    for table in ("accounts", "users"):
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await fetch(superuser_url, f"UPDATE {table} SET time_zone = 'Mars/Olympus'")
    (row,) = await world.rows("SELECT name, time_zone FROM accounts WHERE owner_id = $1")
    assert row == {"name": "A", "time_zone": "Europe/Berlin"}


async def test_what_waits_for_the_change_has_the_new_days(world: World) -> None:
    """Posted while the zone changes from Berlin to New York: the last entry, and one of the past."""
    await post(world, "BUY", "2024-01-02T12:00:00Z", quantity="1", price="1")
    await clear(world)
    async with world.actor.sessions.begin(world.actor.id) as session:
        owner, account = world.actor.id, world.account_id
        await lock_account(session, owner, account)
        await lock_portfolios(session, owner, account)
        await update_account(session, owner, account, {"time_zone": "America/New_York"})
        await mark_all_stale(session, owner, account)
        deeds = [
            post(world, "DEPOSIT", "2016-01-09T23:30:00Z", 1, amount="1"),
            # Before another entry of the same instrument.
            post(world, "TRANSFER_IN", "2016-01-08T23:30:00Z", quantity="1", amount="0"),
        ]
        posting = [asyncio.ensure_future(deed) for deed in deeds]
        _, waiting = await asyncio.wait(posting, timeout=0.3)
        assert len(waiting) == 2
    await asyncio.gather(*posting)
    assert await marks(world) == ["2016-01-08", "2016-01-09"]


async def test_a_price_marks_the_day_in_which_its_market_closes_or_the_one_before(
    world: World, owner_url: str
) -> None:
    """Bought in Tokyo on the morning of the 10th, which is the evening of the 9th in New York; its close of
    the 9th had been an hour and a half before, that of the 8th on the morning of the 9th.
    """
    other = await make_tokyo(world)
    await post(world, "DEPOSIT", "2024-01-02T12:00:00Z", other, amount="1000")
    await post(world, "BUY", "2024-01-09T22:30:00Z", other, quantity="10", price="10")
    await clear(world)
    for day, mark in ((8, "2024-01-10"), (9, "2024-01-10"), (11, "2024-01-11")):
        async with bar_load(owner_url) as load:
            bar = DailyBar("ABC", dt.date(2024, 1, day), None, None, None, D(day), None, None)
            await load.stage([bar])
            await load.store()
        assert await marks(world) == [None, None, mark]
        await clear(world)


async def test_the_day_on_which_cash_is_missing_is_the_accounts(world: World) -> None:
    await post(world, "WITHDRAWAL", NIGHT, amount="999999")
    await post(world, "DEPOSIT", "2024-02-01T12:00:00Z", amount="50")
    with pytest.raises(InsufficientCash) as refused:
        await post(world, "FEE", "2024-01-01T12:00:00Z", amount="10")
    assert refused.value.on_date == dt.date(2024, 1, 10)
    # With a later entry of the same instrument.
    await post(world, "BUY", "2024-03-01T12:00:00Z", quantity="1", price="1")
    with pytest.raises(InsufficientCash) as refused:
        await post(world, "BUY", "2024-01-01T12:00:00Z", quantity="1", price="10")
    assert refused.value.on_date == dt.date(2024, 1, 10)


async def test_the_day_on_which_shares_are_missing_is_the_accounts(world: World) -> None:
    with pytest.raises(InvalidInput, match="Nothing was held on 2024-01-10"):
        await post(world, "SPLIT", NIGHT, quantity="2", split_for="1")
    with pytest.raises(InsufficientShares, match="needed on 2024-01-10") as refused:
        await post(world, "SELL", NIGHT, quantity="1", price="1")
    assert refused.value.on_date == dt.date(2024, 1, 10)
    # Of a later sale, which would find too little: in Tokyo it is of the 10th.
    other = await make_tokyo(world)
    await post(world, "TRANSFER_IN", "2024-01-02T12:00:00Z", other, quantity="5", amount="5")
    await post(world, "SELL", "2024-01-09T16:30:00Z", other, quantity="5", price="1")
    with pytest.raises(InsufficientShares) as refused:
        await post(world, "SELL", "2024-01-02T18:00:00Z", other, quantity="1", price="1")
    assert refused.value.on_date == dt.date(2024, 1, 10)
    rows = f"SELL,ABC,1,1,,,,{NIGHT},\nWITHDRAWAL,,,,2000000,,,{NIGHT},\n"
    report = await import_csv(world.actor, world.portfolios[1], rows)
    domain_errors = [outcome.domain_error for outcome in report.outcomes]
    assert [str(domain_error) for domain_error in domain_errors] == [
        "1 shares are needed on 2024-01-10, 0 are held.",
        "2000000 is needed on 2024-01-10, 1000000 is available.",
    ]
