"""Portfolios that rebalance by themselves: when, how often, and what is written where it cannot be done."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from db.claims import SCHEDULES, claim
from db.sessions import Session
from db.vocabulary import RebalanceFrequency
from investing.brokers.paper import PaperBroker
from investing.portfolio.service import change_portfolio
from investing.rebalancing.scheduling import Schedule
from investing.rules.market.market_days import next_due, next_market_morning
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import Firm, aim, firm, holdings, rows

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def paper(exchange: Exchange) -> Firm:
    return firm(exchange, PaperBroker(exchange.sessions, BrokerFees()))


def schedule_of(paper: Firm, now: dt.datetime | None = None) -> Schedule:
    """The schedule of one process, whose clock stands still if it is given."""
    clock = {} if now is None else {"clock": lambda: now}
    return Schedule(paper.exchange.sessions, paper.trading_config, paper.rebalancer, HOUR, **clock)


async def automatic(exchange: Exchange, **settings: Any) -> tuple[Any, UUID, str]:
    """A user, and their portfolio that rebalances by itself to hold nothing but one instrument."""
    actor, id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    await aim(actor, id, {symbol: "1"}, auto_rebalance=True, **settings)
    return actor, id, symbol


async def times(exchange: Exchange, id: UUID) -> tuple[Any, ...] | None:
    """When the schedule and drift are due, and the attempts so far."""
    found = await rows(
        exchange, "SELECT scheduled_at, drift_at, attempts FROM rebalance_due WHERE portfolio_id = $1", id
    )
    return found[0] if found else None


async def make_due(exchange: Exchange, id: UUID, column: str = "scheduled_at") -> None:
    """Lets the time come at which the portfolio is due, an hour ago."""
    await exchange.run(
        f"UPDATE rebalance_due SET {column} = now() - interval '1 hour', due_at = now() - interval '1 hour' "
        "WHERE portfolio_id = $1",
        id,
    )


async def runs(exchange: Exchange, id: UUID) -> list[tuple[Any, ...]]:
    """Trigger, status and reason of each rebalance of the portfolio, oldest first."""
    return await rows(
        exchange,
        "SELECT trigger, status, failure_reason FROM rebalance_history WHERE portfolio_id = $1 ORDER BY id",
        id,
    )


async def test_settings_say_when_it_is_due(exchange: Exchange) -> None:
    actor, id = await exchange.trader("1000")
    assert await times(exchange, id) is None
    for frequency in RebalanceFrequency:
        await change_portfolio(actor, id, {"auto_rebalance": True, "rebalance_frequency": frequency.value})
        assert await times(exchange, id) == (next_due(frequency, dt.datetime.now(dt.UTC)), None, 0)
    before = dt.datetime.now(dt.UTC)
    await change_portfolio(actor, id, {"drift_band": Decimal("0.1")})
    found = await times(exchange, id)
    assert found is not None
    assert before <= found[1] <= dt.datetime.now(dt.UTC)
    await exchange.run("UPDATE rebalance_due SET attempts = 3 WHERE portfolio_id = $1", id)
    await change_portfolio(actor, id, {"name": "Another"})
    assert (await times(exchange, id) or ())[2] == 3
    await change_portfolio(actor, id, {"auto_rebalance": False})
    assert await times(exchange, id) is None


async def test_it_runs_once_however_much_was_missed(exchange: Exchange, paper: Firm) -> None:
    actor, id, symbol = await automatic(exchange, rebalance_frequency="DAILY")
    await schedule_of(paper).start_due()
    assert await runs(exchange, id) == []
    await exchange.run(
        "UPDATE rebalance_due SET scheduled_at = now() - interval '30 days', "
        "due_at = now() - interval '30 days' WHERE portfolio_id = $1",
        id,
    )
    for _ in range(3):
        await schedule_of(paper).start_due()
    assert await runs(exchange, id) == [("SCHEDULE", "COMPLETED", None)]
    assert await holdings(exchange, id) == {symbol: "100", "cash": "0"}
    found = await times(exchange, id)
    assert found == (next_due(RebalanceFrequency.DAILY, dt.datetime.now(dt.UTC)), None, 0)
    assert (
        await exchange.value(
            "SELECT ip_address FROM audit_log WHERE owner_id = $1 AND action = 'rebalance.started'", actor.id
        )
        is None
    )


async def test_many_processes_start_it_once(exchange: Exchange, paper: Firm) -> None:
    made = [await automatic(exchange) for _ in range(3)]
    for _, id, _ in made:
        await make_due(exchange, id)
    await asyncio.gather(*(schedule_of(paper).start_due() for _ in range(4)))
    for _, id, symbol in made:
        assert await runs(exchange, id) == [("SCHEDULE", "COMPLETED", None)]
        assert await holdings(exchange, id) == {symbol: "100", "cash": "0"}


async def test_a_lease_that_ended_too_early_starts_nothing_twice(exchange: Exchange, paper: Firm) -> None:
    """Two who believe that the same run is theirs: the second finds that the time has moved on."""
    _, id, _ = await automatic(exchange)
    await make_due(exchange, id)
    (first,) = await claim(exchange.sessions, SCHEDULES, 0, 10)
    (second,) = await claim(exchange.sessions, SCHEDULES, 0, 10)
    for due in (first, second):
        await schedule_of(paper)._check_due(due)
    assert await runs(exchange, id) == [("SCHEDULE", "COMPLETED", None)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE portfolios SET is_active = false WHERE id = $1",
        "UPDATE accounts SET is_active = false WHERE id = (SELECT account_id FROM portfolios WHERE id = $1)",
        "UPDATE users SET is_active = false WHERE id = (SELECT owner_id FROM portfolios WHERE id = $1)",
    ],
    ids=["portfolio", "account", "user"],
)
async def test_what_is_not_active_is_skipped(exchange: Exchange, paper: Firm, statement: str) -> None:
    _, id, _ = await automatic(exchange)
    await make_due(exchange, id)
    await exchange.run(statement, id)
    await schedule_of(paper).start_due()
    assert await runs(exchange, id) == []
    assert await times(exchange, id) == (
        next_due(RebalanceFrequency.MONTHLY, dt.datetime.now(dt.UTC)),
        None,
        0,
    )


async def test_what_cannot_be_done_is_written_with_its_reason(exchange: Exchange, paper: Firm) -> None:
    _, id, symbol = await automatic(exchange)
    await exchange.run(
        "DELETE FROM quotes USING instruments i WHERE i.id = instrument_id AND symbol = $1", symbol
    )
    await make_due(exchange, id)
    for _ in range(2):
        await schedule_of(paper).start_due()
    assert await runs(exchange, id) == [
        ("SCHEDULE", "FAILED", f"NO_PRICE: There is no price of {symbol}, which a plan needs.")
    ]
    ((old, new, ended),) = await rows(
        exchange,
        "SELECT old_weights::text, new_weights::text, completed_at = started_at FROM rebalance_history "
        "WHERE portfolio_id = $1",
        id,
    )
    assert (old, new, ended) == ("{}", "{}", True)
    assert (await times(exchange, id) or ())[2] == 0


async def test_targets_that_cannot_be_found_are_a_reason_too(exchange: Exchange, paper: Firm) -> None:
    actor, id, _ = await automatic(exchange)
    await change_portfolio(actor, id, {"strategy": "EQUAL_WEIGHT"})
    await make_due(exchange, id)
    await schedule_of(paper).start_due()
    assert [
        (trigger, status, reason.partition(":")[0]) for trigger, status, reason in await runs(exchange, id)
    ] == [("SCHEDULE", "FAILED", "EMPTY_UNIVERSE")]


async def test_a_fault_is_tried_again_and_given_up_in_the_end(
    exchange: Exchange, paper: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, id, _ = await automatic(exchange)
    await make_due(exchange, id)

    async def broken(*_: object) -> Any:
        raise RuntimeError("no optimiser today")

    monkeypatch.setattr(paper.rebalancer, "targets", broken)
    for attempt in range(1, 6):
        assert await runs(exchange, id) == []
        await schedule_of(paper).start_due()
        if attempt < 5:
            assert (await times(exchange, id) or ())[2] == attempt
        await exchange.run(
            "UPDATE rebalance_due SET due_at = now() WHERE portfolio_id = $1 AND attempts > 0", id
        )
    assert await runs(exchange, id) == [
        ("SCHEDULE", "FAILED", "INTERNAL: it went wrong 5 times in a row; the server's log says how.")
    ]
    assert (await times(exchange, id) or ())[2] == 0


async def test_drift_beyond_the_band_starts_it(exchange: Exchange, paper: Firm) -> None:
    a, b = sorted([await exchange.listed("10"), await exchange.listed("10")])
    actor, id = await exchange.trader("1000")
    settings = {
        "symbols": [a, b],
        "strategy": "EQUAL_WEIGHT",
        "auto_rebalance": True,
        "drift_band": Decimal("0.1"),
    }
    await change_portfolio(actor, id, settings)
    schedule = schedule_of(paper)
    # No run yet, so nothing to have drifted from.
    await schedule.start_due()
    assert await runs(exchange, id) == []
    await paper.rebalance(actor, id)
    await make_due(exchange, id, "drift_at")
    # 0.6 and 0.4: at the band, not beyond it.
    await exchange.quote(a, "15")
    before = dt.datetime.now(dt.UTC)
    await schedule.start_due()
    assert [run[0] for run in await runs(exchange, id)] == ["MANUAL"]
    found = await times(exchange, id)
    assert found is not None
    assert before + HOUR <= found[1] <= dt.datetime.now(dt.UTC) + HOUR
    await exchange.quote(a, "15.1")
    await make_due(exchange, id, "drift_at")
    await schedule.start_due()
    assert (await runs(exchange, id))[1:] == [("DRIFT", "COMPLETED", None)]
    # Once a day at the most, so that what a run cannot mend starts no other.
    found = await times(exchange, id)
    assert found is not None
    assert found[1] == next_market_morning(dt.datetime.now(dt.UTC))
    assert found[0] == next_due(RebalanceFrequency.MONTHLY, dt.datetime.now(dt.UTC))


async def test_drift_of_custom_weights_is_from_those_of_now(exchange: Exchange, paper: Firm) -> None:
    actor, id, symbol = await automatic(exchange, drift_band=Decimal("0.2"))
    await paper.rebalance(actor, id)
    await schedule_of(paper).start_due()
    assert [run[0] for run in await runs(exchange, id)] == ["MANUAL"]
    await change_portfolio(actor, id, {"target_weights": {symbol: "0.5"}})
    await make_due(exchange, id, "drift_at")
    await schedule_of(paper).start_due()
    assert [run[0] for run in await runs(exchange, id)] == ["MANUAL", "DRIFT"]
    assert await holdings(exchange, id) == {symbol: "50", "cash": "500"}


async def test_the_schedule_comes_before_drift(exchange: Exchange, paper: Firm) -> None:
    _, id, _ = await automatic(exchange, drift_band=Decimal("0.1"))
    await make_due(exchange, id, "drift_at")
    await make_due(exchange, id)
    before = dt.datetime.now(dt.UTC)
    await schedule_of(paper).start_due()
    assert [run[:2] for run in await runs(exchange, id)] == [("SCHEDULE", "COMPLETED")]
    found = await times(exchange, id)
    assert found is not None
    assert found[0] == next_due(RebalanceFrequency.MONTHLY, before)
    assert before + HOUR <= found[1]


async def test_a_due_row_without_a_time_gets_one(exchange: Exchange, paper: Firm) -> None:
    """As those of portfolios that are older than the schedule, and those of the demo."""
    _, id, _ = await automatic(exchange)
    await exchange.run(
        "UPDATE rebalance_due SET scheduled_at = NULL, due_at = now() WHERE portfolio_id = $1", id
    )
    await schedule_of(paper).start_due()
    assert await runs(exchange, id) == []
    assert await times(exchange, id) == (
        next_due(RebalanceFrequency.MONTHLY, dt.datetime.now(dt.UTC)),
        None,
        0,
    )


async def test_killed_before_the_commit_nothing_is_there_and_after_it_all(
    exchange: Exchange, paper: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, id, symbol = await automatic(exchange)
    await make_due(exchange, id)
    before = await times(exchange, id)
    commit = Session.commit

    async def dies(session: Session) -> None:
        if await _is_writing(session):
            raise KeyboardInterrupt
        await commit(session)

    async def _is_writing(session: Session) -> bool:
        from sqlalchemy import text

        found = await session.execute(
            text("SELECT count(*) FROM rebalance_history WHERE portfolio_id = :id"), {"id": id}
        )
        return bool(found.scalar_one())

    monkeypatch.setattr(Session, "commit", dies)
    with pytest.raises(KeyboardInterrupt):
        await schedule_of(paper).start_due()
    monkeypatch.setattr(Session, "commit", commit)
    assert await runs(exchange, id) == []
    assert (await times(exchange, id) or ())[:2] == (before or ())[:2]
    await exchange.run("UPDATE rebalance_due SET due_at = now() WHERE portfolio_id = $1", id)
    await schedule_of(paper).start_due()
    assert await runs(exchange, id) == [("SCHEDULE", "COMPLETED", None)]
    assert await holdings(exchange, id) == {symbol: "100", "cash": "0"}
