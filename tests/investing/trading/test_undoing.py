"""Imports taken back on a real PostgreSQL: every figure as it was before, all or nothing, again and again."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.portfolio.service import set_portfolio_active
from investing.rules.errors import (
    AlreadyReversed,
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidInput,
    NotFound,
    PortfolioInactive,
)
from investing.rules.trading.import_rows import ImportRow
from investing.trading.importing import import_rows_once
from investing.trading.undoing import reverse_import, undo_import
from tests.investing.trading.ledgers import (
    differences,
    exported,
    import_csv,
    make_portfolio,
    make_user,
    state,
    statuses,
)
from tests.investing.trading.test_importing import LEDGER, record
from tests.investing.trading.test_importing_corrected import _correct as correct
from tests.investing.trading.test_importing_corrected import _row as csv_row
from tests.investing.trading.test_importing_corrected import _rows as random_rows
from tests.investing.trading.world import forget, make_world, on


async def _reverse(actor: Actor, import_id: UUID | None) -> None:
    assert import_id is not None
    assert await reverse_import(actor, import_id, str(uuid.uuid4())) == import_id


async def _figures(actor: Actor, portfolio_id: UUID) -> object:
    """Cash, what is held, open lots, what used them, and the standing ledger."""
    found = await state(actor, portfolio_id)
    return (
        found["cash"],
        [row for row in found["positions"] if set(row[1:]) != {"0"}],
        [row for row in found["lots"] if row[2] != "0"],
        found["uses"],
        await exported(actor, portfolio_id),
    )


async def _rows(actor: Actor, sql: str, *arguments: object) -> list[tuple[object, ...]]:
    async with actor.sessions.reading(actor.id) as connection:
        return [tuple(row) for row in await connection.fetch(sql, actor.id, *arguments)]


async def test_in_and_out_and_in_again(actor: Actor, portfolio_id: UUID) -> None:
    """The file of every kind of entry, three times; what stood before and between is as it was."""
    await record(actor, portfolio_id, 0, "DEPOSIT", amount="100")
    await record(actor, portfolio_id, 1, "BUY", symbol="ABC", quantity="3", price="7.77", commission="0.01")
    before = await _figures(actor, portfolio_id)
    inside = None
    for _ in range(3):
        report = await import_csv(actor, portfolio_id, LEDGER, format="csv")
        assert set(statuses(report)) == {"OK"}
        now = await _figures(actor, portfolio_id)
        assert now == (inside or now)
        inside = now
        assert set(statuses(await import_csv(actor, portfolio_id, LEDGER))) == {"DUPLICATE"}
        await _reverse(actor, report.import_id)
        assert await _figures(actor, portfolio_id) == before
    kept = await _rows(
        actor,
        "SELECT format, transaction_count, reversed_at IS NOT NULL FROM imports WHERE owner_id = $1 "
        "AND portfolio_id = $2",
        portfolio_id,
    )
    assert kept == [("csv", 13, True)] * 3
    marked = await _rows(
        actor,
        "SELECT count(*) FILTER (WHERE import_id IS NOT NULL), "
        "count(*) FILTER (WHERE reverses_id IS NOT NULL) "
        "FROM transactions WHERE owner_id = $1 AND portfolio_id = $2",
        portfolio_id,
    )
    assert marked == [(39, 39)]


async def test_later_entries_stand_with_other_figures(sessions: Sessions, superuser_url: str) -> None:
    """Own: 10 @ 10 on day 1. Imported: 10 @ 20 on day 2, 5 sold @ 30 on day 3. Own: 5 sold @ 40 on day 4.

    With the import the sale of day 4 takes from 15 at an average of 15: it gains 5 x (40 - 15) = 125. Without
    it from 10 at 10: 5 x (40 - 10) = 150, and 5 at a cost of 50 stay.
    """
    world = await make_world(sessions, superuser_url)
    await world.buy(1, "10", "10")
    rows = f"BUY,ABC,10,20,,,,{on(2).isoformat()},\nSELL,ABC,5,30,,,,{on(3).isoformat()},\n"
    report = await import_csv(world.actor, world.portfolios[0], rows)
    await world.sell(4, "5", "40")
    assert [*(await world.position())[:3]] == [10, 150, 75 + 125]
    await _reverse(world.actor, report.import_id)
    assert [*await world.position()] == [5, 50, 150, 150]
    assert await world.lots() == [(on(1), Decimal(5), Decimal(50))]
    cash = await world.rows("SELECT cash_balance FROM portfolios WHERE owner_id = $1")
    assert Decimal(cash[0]["cash_balance"]) == 1_000_000 - 100 + 200
    assert await world.differences() == []


async def test_shares_that_were_sold_since(actor: Actor, portfolio_id: UUID) -> None:
    rows = (
        "DEPOSIT,,,,1000,,,2020-01-01T00:00:00Z,\nBUY,ABC,10,10,,,,2020-01-02T00:00:00Z,\n"
        "BUY,XYZ,1,10,,,,2020-01-02T00:00:00Z,\n"
    )
    report = await import_csv(actor, portfolio_id, rows)
    sold = await record(actor, portfolio_id, 9, "SELL", symbol="ABC", quantity="4", price="12")
    before = await state(actor, portfolio_id)
    with pytest.raises(InsufficientShares) as refused:
        await _reverse(actor, report.import_id)
    told = refused.value
    assert [told.required, told.available] == [4, 0]
    assert (told.on_date, told.transaction_id, told.field) == (dt.date(2020, 1, 9), sold, ("importId",))
    assert str(told) == (
        "The SELL of 4 ABC on 2020-01-09 needs shares that this import brought; without it there are only 0. "
        "Reverse that transaction first."
    )
    assert await state(actor, portfolio_id) == before


async def test_cash_that_was_spent_since(actor: Actor, portfolio_id: UUID) -> None:
    """100 of one's own, 50 imported; 120 spent on day 5 leave 30, and without the import -20."""
    await record(actor, portfolio_id, 0, "DEPOSIT", amount="100")
    report = await import_csv(actor, portfolio_id, "DEPOSIT,,,,50,,,2020-01-02T00:00:00Z,\n")
    bought = await record(actor, portfolio_id, 5, "BUY", symbol="ABC", quantity="12", price="10")
    # The balance of today would bear it.
    await record(actor, portfolio_id, 9, "DEPOSIT", amount="1000")
    before = await state(actor, portfolio_id)
    with pytest.raises(InsufficientCash) as refused:
        await _reverse(actor, report.import_id)
    told = refused.value
    assert [told.required, told.available] == [120, 100]
    assert (told.on_date, told.transaction_id) == (dt.date(2020, 1, 5), bought)
    assert str(told) == (
        "The BUY of 12 ABC on 2020-01-05 needs 120 in cash; without this import there is only 100. "
        "Reverse that transaction first."
    )
    assert await state(actor, portfolio_id) == before


async def test_a_split_of_nothing(actor: Actor, portfolio_id: UUID) -> None:
    rows = "TRANSFER_IN,ABC,10,,100,,,2020-01-01T00:00:00Z,\n"
    report = await import_csv(actor, portfolio_id, rows)
    split = "SPLIT,ABC,2,,,,1,2020-01-05T00:00:00Z,\n"
    later = await import_csv(actor, portfolio_id, split)
    with pytest.raises(InvalidInput, match="The SPLIT of 2 ABC on 2020-01-04 cannot stand without this"):
        await _reverse(actor, report.import_id)
    # In the right order it goes.
    await _reverse(actor, later.import_id)
    await _reverse(actor, report.import_id)
    assert (await _figures(actor, portfolio_id))[1] == []  # type: ignore[index]


async def test_what_open_orders_have_reserved(actor: Actor, portfolio_id: UUID, superuser_url: str) -> None:
    """As an order would have it: 60 of the cash and 3 of the shares are spoken for."""
    shares = await import_csv(actor, portfolio_id, "TRANSFER_IN,ABC,5,,50,,,2020-01-01T00:00:00Z,\n")
    cash = await import_csv(actor, portfolio_id, "DEPOSIT,,,,100,,,2020-01-01T00:00:00Z,\n")
    async with actor.sessions.begin(actor.id) as session:
        for sql in (
            "UPDATE portfolios SET reserved_cash = {cash} WHERE owner_id = :owner AND id = :portfolio",
            "UPDATE positions SET reserved_quantity = {shares} WHERE owner_id = :owner "
            "AND portfolio_id = :portfolio",
        ):
            given = {"owner": actor.id, "portfolio": portfolio_id}
            await session.execute(text(sql.format(cash=60, shares=3)), given)
    with pytest.raises(
        InsufficientCash, match=r"Open orders have reserved 60; without this import there is only 0"
    ):
        await _reverse(actor, cash.import_id)
    with pytest.raises(InsufficientShares, match="cancel one first"):
        await _reverse(actor, shares.import_id)
    async with actor.sessions.begin(actor.id) as session:
        for table, column in (("portfolios", "reserved_cash"), ("positions", "reserved_quantity")):
            await session.execute(
                text(f"UPDATE {table} SET {column} = 0 WHERE owner_id = :owner"), {"owner": actor.id}
            )
    await _reverse(actor, cash.import_id)
    await _reverse(actor, shares.import_id)


async def test_again_and_by_others(actor: Actor, portfolio_id: UUID, superuser_url: str) -> None:
    rows = [ImportRow(1, TransactionType.DEPOSIT, on(0), amount=Decimal(7))]
    key = str(uuid.uuid4())
    report = await import_rows_once(actor, portfolio_id, rows, skip_bad=False, idempotency_key=key)
    assert report.import_id is not None
    # A retry of the import tells the same import.
    again = await import_rows_once(actor, portfolio_id, rows, skip_bad=False, idempotency_key=key)
    assert again == report
    stranger = await make_user(superuser_url, actor.sessions)
    for who, id in ((stranger, report.import_id), (actor, uuid.uuid4())):
        with pytest.raises(NotFound, match="There is no such import"):
            await reverse_import(who, id, str(uuid.uuid4()))
    key = str(uuid.uuid4())
    for _ in range(2):
        assert await reverse_import(actor, report.import_id, key) == report.import_id
    assert (await state(actor, portfolio_id))["cash"] == [("0",)]
    with pytest.raises(AlreadyReversed):
        await _reverse(actor, report.import_id)
    with pytest.raises(AlreadyReversed):
        await undo_import(actor, report.import_id)
    with pytest.raises(IdempotencyMismatch):
        await reverse_import(actor, uuid.uuid4(), key)


async def test_two_at_once(actor: Actor, portfolio_id: UUID) -> None:
    report = await import_csv(actor, portfolio_id, "DEPOSIT,,,,7,,,2020-01-01T00:00:00Z,\n" * 3)
    tries = (_reverse(actor, report.import_id) for _ in range(4))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyReversed"] * 3 + ["NoneType"]
    assert (await state(actor, portfolio_id))["cash"] == [("0",)]


async def test_an_archived_portfolio(actor: Actor, portfolio_id: UUID) -> None:
    report = await import_csv(actor, portfolio_id, "DEPOSIT,,,,7,,,2020-01-01T00:00:00Z,\n")
    await set_portfolio_active(actor, portfolio_id, False)
    with pytest.raises(PortfolioInactive, match="The portfolio is archived: restore it first"):
        await _reverse(actor, report.import_id)
    await set_portfolio_active(actor, portfolio_id, True)
    await _reverse(actor, report.import_id)


async def test_rows_reversed_singly(sessions: Sessions, superuser_url: str) -> None:
    """A row taken back by itself stays out while its import stands; with the import it is forgotten."""
    world = await make_world(sessions, superuser_url)
    actor, portfolio_id = world.actor, world.portfolios[0]
    rows = "".join(f"BUY,ABC,{n},10,,,,{on(n).isoformat()},\n" for n in (1, 2, 3))
    report = await import_csv(actor, portfolio_id, rows)
    await world.reverse([outcome.transaction_id for outcome in report.outcomes][1])  # type: ignore[arg-type]
    assert statuses(await import_csv(actor, portfolio_id, rows)) == ["DUPLICATE"] * 3
    await _reverse(actor, report.import_id)
    assert [*await world.position()] == [0, 0, 0, 0]
    (count,) = await world.rows(
        "SELECT count(*) FROM transactions WHERE owner_id = $1 AND reverses_id IS NOT NULL"
    )
    assert count["count"] == 3
    assert statuses(await import_csv(actor, portfolio_id, rows)) == ["OK"] * 3
    assert [*await world.position()] == [6, 60, 0, 0]
    assert await world.differences() == []


async def test_killed_in_the_middle(actor: Actor, superuser_url: str) -> None:
    """What dies half-way leaves nothing, and a second start does it all."""
    portfolio_id = await make_portfolio(actor)
    rows = "".join(
        f"DEPOSIT,,,,{n},,,2020-01-01T00:00:00Z,\nBUY,ABC,1,{n},,,,2020-01-02T00:00:00Z,\n"
        for n in range(1, 301)
    )
    report = await import_csv(actor, portfolio_id, rows)
    assert report.import_id is not None
    before = await state(actor, portfolio_id)

    class Killed(BaseException):
        pass

    def kill(step: str, done: int, total: int) -> None:
        # Everything is written then, and nothing is committed.
        if step == "Reversing transactions" and done == total:
            raise Killed

    with pytest.raises(Killed):
        await undo_import(actor, report.import_id, kill)
    assert await state(actor, portfolio_id) == before
    assert await undo_import(actor, report.import_id) == 600
    assert (await _figures(actor, portfolio_id))[0] == [("0",)]  # type: ignore[index]
    assert await differences(actor) == []


@pytest.mark.parametrize("at", [0, 1])
async def test_among_corrections_and_transfers(sessions: Sessions, superuser_url: str, at: int) -> None:
    """Purchases and sales of a past with splits, reversals and transfers between portfolios, and out again.

    What is compared is every portfolio's, because shares went on to others.
    """
    world = await make_world(sessions, superuser_url, portfolios=3)
    await correct(world)
    before = [await _figures(world.actor, id) for id in world.portfolios]
    text = "".join(csv_row(*row) for row in random_rows(at))
    report = await import_csv(world.actor, world.portfolios[at], text, skip_bad=True)
    assert report.written
    assert [await _figures(world.actor, id) for id in world.portfolios] != before
    await _reverse(world.actor, report.import_id)
    assert [await _figures(world.actor, id) for id in world.portfolios] == before
    assert await world.differences() == []
    await forget(world, superuser_url)


async def test_shares_that_went_to_another_portfolio(sessions: Sessions, superuser_url: str) -> None:
    """3 of one's own and 4 imported; 5 moved on: without the import 3 are there."""
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(1, "3", "10")
    row = f"BUY,ABC,4,10,,,,{on(2).isoformat()},\n"
    report = await import_csv(world.actor, world.portfolios[0], row)
    await world.move(5, "5")
    with pytest.raises(
        InsufficientShares, match="The TRANSFER_OUT of 5 ABC on 2020-01-06 needs shares"
    ) as told:
        await _reverse(world.actor, report.import_id)
    assert [told.value.required, told.value.available] == [5, 3]
    assert await world.differences() == []
