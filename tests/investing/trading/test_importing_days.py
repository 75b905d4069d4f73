"""Dates without a time, and rows of one instant, on a real ledger."""

import datetime as dt
import uuid
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import asyncpg
import pytest

from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow, Parsed
from investing.trading.formats.guessing import guess, reader_of
from investing.trading.identifying import mapped
from investing.trading.importing import import_rows
from investing.trading.recording import TransactionRequest, record_transaction
from tests.investing.trading.ledgers import (
    HEADER,
    differences,
    exported,
    import_csv,
    make_portfolio,
    refused,
    state,
    statuses,
)

BERLIN = "Europe/Berlin"
MIDNIGHT = dt.datetime(2024, 1, 9, 23, tzinfo=dt.UTC)
"""Of 10 January 2024 in Berlin."""

GHOSTFOLIO = """{"activities": [
{"type": "BUY", "quantity": 5, "unitPrice": 0, "fee": 0, "currency": "USD", "symbol": "ABC", "date": "%s"},
{"type": "INTEREST", "quantity": 1, "unitPrice": 7, "fee": 0, "currency": "USD", "symbol": "X", "date": "%s"}
]}"""


async def move_to(superuser_url: str, portfolio_id: UUID, time_zone: str) -> None:
    """Moves the portfolio's account to a time zone."""
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(
            "UPDATE accounts a SET time_zone = $2 FROM portfolios p WHERE p.id = $1 AND a.id = p.account_id",
            portfolio_id,
            time_zone,
        )
    finally:
        await connection.close()


def read(text: str) -> list[Parsed]:
    """The rows of a file."""
    data = text.encode()
    return list(reader_of(guess(data))(data))


async def instants(actor: Actor, portfolio_id: UUID) -> set[dt.datetime]:
    """When the portfolio's transactions were."""
    return {row[-1] for row in (await state(actor, portfolio_id))["transactions"]}


async def test_a_date_is_that_day_where_the_account_lives(
    actor: Actor, portfolio_id: UUID, superuser_url: str
) -> None:
    """Both ways in which Ghostfolio writes 10 January in Berlin; then the same rows as once taken."""
    await move_to(superuser_url, portfolio_id, BERLIN)
    rows = read(GHOSTFOLIO % ("2024-01-10T00:00:00.000Z", "2024-01-09T23:00:00.000Z"))
    assert statuses(await import_rows(actor, portfolio_id, rows)) == ["OK", "OK"]
    assert await instants(actor, portfolio_id) == {MIDNIGHT}
    # The gift is held at cost 0, and no cash went.
    found = await state(actor, portfolio_id)
    assert (found["cash"], found["positions"]) == ([("7",)], [("ABC", "5", "0", "0", "0")])
    assert set(statuses(await import_rows(actor, portfolio_id, rows))) == {"DUPLICATE"}
    # By an instant on that day, in another file, they were there before; and dates find them.
    other = await make_portfolio(actor)
    await import_csv(
        actor, other, "BUY,ABC,5,0,,,,2024-01-10T00:00:00Z,\nINTEREST,,,,7,,,2024-01-10T15:00:00Z,\n"
    )
    days = "BUY,ABC,5,0,,,,2024-01-10,\nINTEREST,,,,7,,,2024-01-10,\nINTEREST,,,,7,,,2024-01-10,\n"
    report = await import_csv(actor, other, days)
    assert statuses(report) == ["DUPLICATE", "DUPLICATE", "OK"]
    # Midnight in New York, where this account lives.
    assert max(await instants(actor, other)) == dt.datetime(2024, 1, 10, 15, tzinfo=dt.UTC)
    assert dt.datetime(2024, 1, 10, 5, tzinfo=dt.UTC) in await instants(actor, other)
    assert await differences(actor) == []


STATEMENT = [
    "WITHDRAWAL,,,,44,,,2024-01-10,\n",
    "SELL,ABC,4,11,,,,2024-01-10,\n",
    "BUY,XYZ,1,20,,,,2024-01-10,\n",
    "BUY,ABC,10,10,,,,2024-01-10,\n",
    "BUY,ABC,1,2,,,,2024-01-10,\n",
    "DEPOSIT,,,,122,,,2024-01-10,\n",
]


async def test_any_order_of_the_file_makes_the_same_ledger(actor: Actor, portfolio_id: UUID) -> None:
    """122 - 2 - 100 - 20 + 44 - 44 = 0; newest first, and in three of the 720 orders."""
    assert set(statuses(await import_csv(actor, portfolio_id, "".join(STATEMENT)))) == {"OK"}
    expected = await state(actor, portfolio_id)
    assert (expected["cash"], [row[0] for row in expected["transactions"]]) == (
        [("0",)],
        ["DEPOSIT", "BUY", "BUY", "SELL", "BUY", "WITHDRAWAL"],
    )
    for rows in list(permutations(STATEMENT))[::240]:
        other = await make_portfolio(actor)
        await import_csv(actor, other, "".join(rows))
        assert await state(actor, other) == expected
        # What is there comes first: a further sale at that midnight can use it, and another cannot.
        more = "SELL,ABC,7,1,,,,2024-01-10,\nSELL,ABC,1,1,,,,2024-01-10,\n"
        report = await import_csv(actor, other, "".join(rows) + more, skip_bad=True)
        assert statuses(report)[6:] == ["REFUSED", "OK"] or statuses(report)[6:] == ["OK", "REFUSED"]
        assert "shares are needed on 2024-01-10" in str(
            [o.domain_error for o in report.outcomes if o.domain_error]
        )


async def test_what_came_in_another_order_by_hand_keeps_it(actor: Actor, portfolio_id: UUID) -> None:
    """The order in which entries came is the ledger's; an export tells it, and an import reads it."""
    for type, amount in (("DEPOSIT", 100), ("WITHDRAWAL", 100), ("DEPOSIT", 50), ("FEE", 1)):
        record = TransactionRequest(
            portfolio_id=portfolio_id,
            type=TransactionType(type),
            symbol=None,
            quantity=None,
            price=None,
            amount=Decimal(amount),
            commission=Decimal(0),
            split_for=None,
            executed_at=MIDNIGHT,
            notes=None,
        )
        await record_transaction(actor, record, str(uuid.uuid4()))
    await import_csv(actor, portfolio_id, "DEPOSIT,,,,1,,,2024-01-01,\n")
    text = await exported(actor, portfolio_id)
    lines = text.splitlines()
    assert lines[0] == HEADER.strip() + ",place"
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["", "1", "2", "3", "4"]
    other = await make_portfolio(actor)
    await import_csv(actor, other, "\n".join([lines[0], *lines[:0:-1]]))
    assert await exported(actor, other) == text
    assert set(statuses(await import_csv(actor, other, text))) == {"DUPLICATE"}


async def test_a_security_by_what_it_is_called_elsewhere(actor: Actor, portfolio_id: UUID) -> None:
    rows: list[Parsed] = [
        ImportRow(n, TransactionType.DIVIDEND, MIDNIGHT, symbol=symbol, amount=Decimal(n), identifiers=ids)
        for n, (symbol, ids) in enumerate([(None, ("084670702",)), ("BRK B", ()), (" abc", ())], 1)
    ]
    report = await import_rows(actor, portfolio_id, rows, dry_run=True, skip_bad=True)
    assert refused(report) == [(1, "INVALID_INPUT"), (2, "UNKNOWN_INSTRUMENT")]
    assert "--map-symbols" in str(report.outcomes[0].domain_error)
    for symbol in ("A\0B", "\ud800", "X" * 40):
        row = ImportRow(1, TransactionType.DIVIDEND, MIDNIGHT, symbol=symbol, amount=Decimal(1))
        found = await import_rows(actor, portfolio_id, [row], skip_bad=True)
        assert "is not a symbol" in str(found.outcomes[0].domain_error)
    known = mapped(rows, {"084670702": "XYZ", "BRK B": "XYZ"})
    assert statuses(await import_rows(actor, portfolio_id, known)) == ["OK"] * 3


@pytest.mark.parametrize("places", ["0.00000000001", "1.123456789012345678901234567890"])
async def test_more_places_than_there_are_are_a_refused_row(
    actor: Actor, portfolio_id: UUID, places: str
) -> None:
    report = await import_csv(actor, portfolio_id, f"DEPOSIT,,,,{places},,,2024-01-10,\n", skip_bad=True)
    assert [str(o.domain_error) for o in report.outcomes] == ["The amount has more than 10 decimals."]
