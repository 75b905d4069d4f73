"""Imports of transactions on a real PostgreSQL: exact both ways, all or nothing, safe to run twice."""

import datetime as dt
import uuid
from decimal import Decimal
from uuid import UUID

import pytest

from db.vocabulary import AccountType, TransactionType
from investing.actor import Actor
from investing.rules.errors import InsufficientCash, InsufficientShares, NotFound
from investing.trading.recording import TransactionRequest, record_transaction
from tests.investing.trading.ledgers import (
    HEADER,
    START,
    differences,
    exported,
    import_csv,
    make_portfolio,
    make_user,
    only,
    refused,
    state,
    statuses,
)

LEDGER = (
    "DEPOSIT,,,,1000,0,,2024-01-01T09:00:00.000000Z,\n"
    "TRANSFER_IN,,,,500.25,0,,2024-01-01T09:00:00.000000Z,\n"
    'BUY,ABC,3.1234567891,10.0000000003,31.234567891937037,0,,x,""\n'.replace(
        "31.234567891937037,0,,x", "31.2345678919,1.01,,2024-01-02T15:30:00.123456Z"
    ).replace(',""', ",")
    + "TRANSFER_IN,XYZ,5,,120,0,,2024-01-03T00:00:00.000000Z,\n"
    "DIVIDEND,ABC,,,3.21,0,,2024-01-04T00:00:00.000000Z,\n"
    "SPLIT,ABC,3,,,0,2,2024-01-05T00:00:00.000000Z,\n"
    'SELL,ABC,2,8.5,17,0.5,,2024-01-06T00:00:00.000000Z,"sold, ""early""\nsecond line\r\n  spaces "\n'
    "TRANSFER_OUT,XYZ,1,,0,0,,2024-01-07T00:00:00.000000Z,\n"
    "INTEREST,,,,0.01,0,,2024-01-08T00:00:00.000000Z,\n"
    "FEE,ABC,,,1,0,,2024-01-08T00:00:00.000000Z,\n"
    "TAX,,,,2,0,,2024-01-08T00:00:00.000000Z,\n"
    'WITHDRAWAL,,,,4,0,,2024-01-08T00:00:00.000000Z,"=1+1"\n'
    "TRANSFER_OUT,,,,3,0,,2024-01-08T00:00:00.000000Z,\n"
)


async def record(actor: Actor, portfolio_id: UUID, day: int, type: str, **given: str) -> UUID:
    """Records a transaction, so many days after the first."""
    numbers = {name: Decimal(value) for name, value in given.items() if name != "symbol"}
    facts = {"quantity": None, "price": None, "amount": None, "commission": Decimal(0), **numbers}
    return await record_transaction(
        actor,
        TransactionRequest(
            portfolio_id=portfolio_id,
            type=TransactionType(type),
            symbol=given.get("symbol"),
            split_for=None,
            executed_at=START + dt.timedelta(days=day),
            notes=None,
            **facts,  # type: ignore[arg-type]
        ),
        str(uuid.uuid4()),
    )


async def test_a_ledger_goes_in_and_comes_out_byte_for_byte(actor: Actor, portfolio_id: UUID) -> None:
    report = await import_csv(actor, portfolio_id, LEDGER)
    assert (refused(report), report.written) == ([], True)
    first = await exported(actor, portfolio_id)
    assert first == HEADER + LEDGER
    other = await make_portfolio(actor)
    await import_csv(actor, other, first)
    assert await exported(actor, other) == first
    assert await state(actor, other) == await state(actor, portfolio_id)


async def test_what_was_recorded_is_imported_elsewhere_exactly(actor: Actor, portfolio_id: UUID) -> None:
    await record(actor, portfolio_id, 0, "TRANSFER_IN", amount="1000")
    await record(actor, portfolio_id, 1, "BUY", symbol="ABC", quantity="3.3333333333", price="7.77")
    await record(actor, portfolio_id, 5, "SELL", symbol="ABC", quantity="1.1", price="9", commission="0.3")
    await record(actor, portfolio_id, 2, "BUY", symbol="ABC", quantity="2", price="8", commission="1")
    await record(actor, portfolio_id, 2, "SELL", symbol="ABC", quantity="4", price="8.01")
    other = await make_portfolio(actor)
    report = await import_csv(actor, other, await exported(actor, portfolio_id))
    assert statuses(report) == ["OK"] * 5
    assert await exported(actor, other) == await exported(actor, portfolio_id)
    assert await state(actor, other) == await state(actor, portfolio_id)


async def test_a_second_run_changes_nothing(actor: Actor, portfolio_id: UUID) -> None:
    await import_csv(actor, portfolio_id, LEDGER)
    before = await state(actor, portfolio_id)
    report = await import_csv(actor, portfolio_id, LEDGER)
    assert (set(statuses(report)), report.written) == ({"DUPLICATE"}, False)
    # The same figures written in another way are the same transaction.
    again = "deposit,, ,,+1000.00,,,2024-01-01T10:00:00+01:00,other notes\n"
    assert statuses(await import_csv(actor, portfolio_id, again)) == ["DUPLICATE"]
    assert await state(actor, portfolio_id) == before


async def test_the_exports_of_a_recorded_ledger_are_duplicates_there(
    actor: Actor, portfolio_id: UUID
) -> None:
    await record(actor, portfolio_id, 0, "DEPOSIT", amount="10")
    report = await import_csv(actor, portfolio_id, await exported(actor, portfolio_id))
    assert statuses(report) == ["DUPLICATE"]


async def test_identical_rows_of_one_file_all_count(actor: Actor, portfolio_id: UUID) -> None:
    row = "DEPOSIT,,,,10,,,2024-01-01T00:00:00Z,\n"
    assert statuses(await import_csv(actor, portfolio_id, row * 3)) == ["OK"] * 3
    assert statuses(await import_csv(actor, portfolio_id, row * 2)) == ["DUPLICATE"] * 2
    assert statuses(await import_csv(actor, portfolio_id, row * 4)) == ["DUPLICATE"] * 3 + ["OK"]
    assert (await state(actor, portfolio_id))["cash"] == [("40",)]


async def test_a_row_refused_once_can_come_later(actor: Actor, portfolio_id: UUID) -> None:
    row = "WITHDRAWAL,,,,10,,,2024-01-02T00:00:00Z,\n"
    deposit = "DEPOSIT,,,,10,,,2024-01-01T00:00:00Z,\n"
    report = await import_csv(actor, portfolio_id, deposit + row * 2, skip_bad=True)
    assert statuses(report) == ["OK", "OK", "REFUSED"]
    report = await import_csv(actor, portfolio_id, deposit * 2 + row * 2, skip_bad=True)
    assert statuses(report) == ["DUPLICATE", "OK", "DUPLICATE", "OK"]


async def test_a_dry_run_tells_all_and_changes_nothing(actor: Actor, portfolio_id: UUID) -> None:
    await import_csv(actor, portfolio_id, "DEPOSIT,,,,100,,,2024-01-01T00:00:00Z,\n")
    before = await state(actor, portfolio_id)
    rows = (
        "DEPOSIT,,,,100,,,2024-01-01T00:00:00Z,\n"
        "BUY,ABC,1,10,,,,2024-01-02T00:00:00Z,\n"
        "BUY,NOPE,1,10,,,,2024-01-02T00:00:00Z,\n"
        "\n"
        "SELL,ABC,2,10,,,,2024-01-03T00:00:00Z,\n"
    )
    report = await import_csv(actor, portfolio_id, rows, dry_run=True)
    assert [(row.line, row.status.value, row.transaction_id) for row in report.outcomes] == [
        (2, "DUPLICATE", None),
        (3, "OK", None),
        (4, "REFUSED", None),
        (6, "REFUSED", None),
    ]
    assert refused(report) == [(4, "UNKNOWN_INSTRUMENT"), (6, "INSUFFICIENT_SHARES")]
    assert (await state(actor, portfolio_id), report.written) == (before, False)


@pytest.mark.parametrize("skip_bad", [False, True])
async def test_one_bad_row_of_a_thousand(actor: Actor, portfolio_id: UUID, skip_bad: bool) -> None:
    rows = [f"DEPOSIT,,,,{number},,,2024-01-01T00:00:00Z,\n" for number in range(1, 1001)]
    rows[700] = "DEPOSIT,,,,1e3,,,2024-01-01T00:00:00Z,\n"
    report = await import_csv(actor, portfolio_id, "".join(rows), skip_bad=skip_bad)
    assert refused(report) == [(702, "INVALID_INPUT")]
    assert (report.written, len((await state(actor, portfolio_id))["transactions"])) == (
        skip_bad,
        999 * skip_bad,
    )


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("GIFT,,,,1,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("type",)),
        ("DEPOSIT,,,,1,,,2024-01-01T00:00:00,", "INVALID_INPUT", ("executedAt",)),
        ("DEPOSIT,,,,1,,,2024-02-30T00:00:00Z,", "INVALID_INPUT", ("executedAt",)),
        ("DEPOSIT,,,,1,,,2999-01-01T00:00:00Z,", "INVALID_INPUT", ("executedAt",)),
        ("DEPOSIT,,,,,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("DEPOSIT,,,,-1,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("DEPOSIT,,,,NaN,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("DEPOSIT,,,,0.00000000001,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("DEPOSIT,,,,1000000000000000000,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("DEPOSIT,,,,1,-1,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("commission",)),
        ("BUY,ABC,1,2,3,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ("amount",)),
        ("BUY,SAP,1,2,,,,2024-01-01T00:00:00Z,", "CURRENCY_MISMATCH", ("symbol",)),
        ("BUY,ABC,1,2,,,,2024-01-01T00:00:00Z,", "INSUFFICIENT_CASH", ("amount",)),
        ("SPLIT,ABC,2,,,,,2024-01-01T00:00:00Z,", "INVALID_INPUT", ()),
        ("DEPOSIT,,,,1,,,2024-01-01T00:00:00Z,a\0b", "INVALID_INPUT", ()),
        ("DEPOSIT,,,,1,,,2024-01-01T00:00:00Z," + "n" * 2001, "INVALID_INPUT", ("notes",)),
        ("DEPOSIT,,,,1,,,2024-01-01T00:00:00Z", "INVALID_INPUT", ()),
        ('DEPOSIT,,,,1,,,2024-01-01T00:00:00Z,"open', "INVALID_INPUT", ()),
    ],
)
async def test_refused_rows(
    actor: Actor, portfolio_id: UUID, row: str, code: str, field: tuple[str, ...]
) -> None:
    domain_error = only(await import_csv(actor, portfolio_id, row + "\n", skip_bad=True)).domain_error
    assert domain_error is not None
    assert (domain_error.code, domain_error.field) == (code, field)


async def test_amounts_as_statements_round_them(actor: Actor, portfolio_id: UUID) -> None:
    rows = (
        "DEPOSIT,,,,1000,,,2024-01-01T00:00:00Z,\n"
        "BUY,ABC,10.123,15.37,155.59,,,2024-01-02T00:00:00Z,\n"
        "BUY,ABC,3,,10,,,2024-01-03T00:00:00Z,\n"
    )
    await import_csv(actor, portfolio_id, rows)
    found = await state(actor, portfolio_id)
    assert found["cash"] == [("834.41",)]
    text = await exported(actor, portfolio_id)
    assert "BUY,ABC,3,3.3333333333,10,0,," in text
    other = await make_portfolio(actor)
    await import_csv(actor, other, text)
    assert await exported(actor, other) == text


async def test_earlier_rows_must_leave_enough_for_what_came_later(actor: Actor, portfolio_id: UUID) -> None:
    await record(actor, portfolio_id, 0, "DEPOSIT", amount="100")
    await record(actor, portfolio_id, 1, "BUY", symbol="ABC", quantity="5", price="10")
    await record(actor, portfolio_id, 9, "SELL", symbol="ABC", quantity="5", price="10")
    await record(actor, portfolio_id, 10, "WITHDRAWAL", amount="100")
    rows = (
        "SELL,ABC,1,10,,,,2020-01-05T00:00:00Z,too many\n"
        "FEE,,,,1,,,2020-01-05T00:00:00Z,too much\n"
        "BUY,XYZ,1,10,,,,2020-01-06T00:00:00Z,\n"
        "SELL,XYZ,1,10,,,,2020-01-07T00:00:00Z,what comes back in time may be used\n"
    )
    report = await import_csv(actor, portfolio_id, rows, skip_bad=True)
    assert refused(report) == [(2, "INSUFFICIENT_SHARES"), (3, "INSUFFICIENT_CASH")]
    shares, cash = (report.outcomes[place].domain_error for place in (0, 1))
    assert isinstance(shares, InsufficientShares)
    # Midnight UTC is still the day before where the account lives, in New York.
    assert shares.on_date == dt.date(2020, 1, 9)
    assert isinstance(cash, InsufficientCash)
    assert (cash.on_date, cash.required, cash.available) == (dt.date(2020, 1, 10), Decimal(1), Decimal(0))


async def test_earlier_rows_change_later_gains_and_lots(actor: Actor, portfolio_id: UUID) -> None:
    """The same as recording them one by one, and the same as all of them in order."""
    rows = [
        "DEPOSIT,,,,1000,,,2020-01-01T00:00:00Z,\n",
        "BUY,ABC,5,10,,1,,2020-01-02T00:00:00Z,\n",
        "SELL,ABC,4,12,,,,2020-01-09T00:00:00Z,\n",
    ]
    early = ["BUY,ABC,3,8,,,,2020-01-01T12:00:00Z,\n", "SELL,ABC,1,9,,,,2020-01-03T00:00:00Z,\n"]
    await import_csv(actor, portfolio_id, "".join(rows))
    await import_csv(actor, portfolio_id, "".join(early))
    other = await make_portfolio(actor)
    await import_csv(actor, other, "".join(reversed([*rows, *early])))
    one_by_one = await make_portfolio(actor)
    await record(actor, one_by_one, 0, "DEPOSIT", amount="1000")
    await record(actor, one_by_one, 1, "BUY", symbol="ABC", quantity="5", price="10", commission="1")
    await record(actor, one_by_one, 8, "SELL", symbol="ABC", quantity="4", price="12")
    await import_csv(actor, one_by_one, "".join(early))
    assert await state(actor, portfolio_id) == await state(actor, other) == await state(actor, one_by_one)


async def test_what_is_added_before_a_split_is_split(actor: Actor, portfolio_id: UUID) -> None:
    await import_csv(actor, portfolio_id, LEDGER)
    row = "BUY,ABC,1,10,,,,2024-01-03T00:00:00Z,\n"
    report = await import_csv(actor, portfolio_id, row)
    assert statuses(report) == ["OK"]
    other = await make_portfolio(actor)
    await import_csv(actor, other, LEDGER + row)
    assert await state(actor, portfolio_id) == await state(actor, other)


async def test_a_margin_account_may_owe(actor: Actor) -> None:
    margin = await make_portfolio(actor, AccountType.MARGIN)
    report = await import_csv(actor, margin, "BUY,ABC,1,10,,,,2024-01-03T00:00:00Z,\n")
    assert (report.written, (await state(actor, margin))["cash"]) == (True, [("-10",)])
    assert await differences(actor) == []


async def test_nobody_imports_into_what_is_not_theirs(
    actor: Actor, portfolio_id: UUID, superuser_url: str
) -> None:
    stranger = await make_user(superuser_url, actor.sessions)
    for id in (portfolio_id, uuid.uuid4()):
        with pytest.raises(NotFound, match=r"There is no such portfolio\."):
            await import_csv(stranger, id, LEDGER)
    assert await exported(stranger, portfolio_id) == HEADER
    assert (await state(actor, portfolio_id))["transactions"] == []
