"""Ghostfolio's export."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest

from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow
from investing.trading.formats.files import TransactionFileError
from investing.trading.importing import import_rows
from tests.investing.trading.formats.reading import bad, cash, good, ignored, read, sample
from tests.investing.trading.ledgers import import_csv, refused, state


def test_every_activity_has_its_cash_and_its_line() -> None:
    rows = read(sample("ghostfolio.json"))
    assert {source: (row.line, cash(row)) for source, row in good(rows).items()} == {
        "activity 1": (18, Decimal("-308.65")),
        "activity 2": (30, Decimal("-30.1851851835")),
        "activity 3": (42, Decimal("109.5")),
        "activity 4": (54, Decimal("1.5")),
        "activity 5": (66, Decimal("-12")),
        "activity 6": (78, Decimal("3.21")),
    }
    first = good(rows)["activity 1"]
    assert (first.type, first.symbol, first.notes) == (TransactionType.BUY, "MSFT", "with braces } and {")
    assert first.executed_at == dt.date(2024, 1, 3)
    assert bad(rows) == [
        (
            90,
            "An ITEM is not imported: make an instrument of your own (createInstrument) and record its "
            "purchase.",
        ),
        (102, "The ledger cannot hold a liability."),
    ]
    # An activity that is worth nothing, and the export's account.
    assert ignored(rows) == [126, 1]
    assert [row.line for row in rows if isinstance(row, ImportRow) and row.currency == "CHF"] == [114]


async def test_it_is_imported_once_there_is_cash(actor: Actor, portfolio_id: UUID) -> None:
    rows = read(sample("ghostfolio.json"))
    await import_csv(actor, portfolio_id, "DEPOSIT,,,,500,,,2024-01-01T00:00:00Z,\n")
    report = await import_rows(actor, portfolio_id, rows, skip_bad=True)
    assert refused(report) == [(90, "INVALID_INPUT"), (102, "INVALID_INPUT"), (114, "CURRENCY_MISMATCH")]
    # 500 - 308.65 - 30.1851851835 + 109.5 + 1.5 - 12 + 3.21
    assert (await state(actor, portfolio_id))["cash"] == [("263.3748148165",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "The file is not JSON"),
        ('{"activities": [{"fee": NaN}]}', "NaN is no number"),
        ("{}", "it has no list of activities"),
        ('{"activities": []}', "has no activities"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_files_that_are_none(text: str, message: str) -> None:
    from investing.trading.formats.ghostfolio import read_ghostfolio

    with pytest.raises(TransactionFileError, match=message):
        list(read_ghostfolio(text.encode()))


@pytest.mark.parametrize(
    "activity",
    [
        "null",
        "{}",
        '{"type": "BUY", "date": "yesterday"}',
        '{"type": "BUY", "date": "2024-01-01", "fee": "1"}',
    ],
)
def test_broken_activities_are_bad_rows(activity: str) -> None:
    assert len(bad(read(f'{{"activities": [{activity}]}}'.encode()))) == 1
