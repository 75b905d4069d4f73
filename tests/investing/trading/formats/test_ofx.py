"""OFX investment statements, in the syntax of version 1 and of version 2."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow
from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.guessing import Format, guess
from investing.trading.formats.ofx import read_ofx
from investing.trading.importing import import_rows
from tests.investing.trading.formats.reading import bad, cash, good, read, sample
from tests.investing.trading.ledgers import refused, state

VERSION_2 = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<?OFX OFXHEADER="200" VERSION="203" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>\n'
)


def as_version_2(data: bytes) -> bytes:
    """The same statement as XML: every value has an end tag."""
    body = data.decode().partition("\n\n")[2]
    return (VERSION_2 + re.sub(r"<([A-Z0-9]+)>([^<\n]+)", r"<\1>\2</\1>", body)).encode()


def test_cash_is_the_statements_own() -> None:
    rows = read(sample("investment.ofx"))
    moved: dict[str, Decimal] = {}
    for row in rows:
        if isinstance(row, ImportRow) and row.source != "INCOME I2":
            moved[row.source] = moved.get(row.source, Decimal(0)) + cash(row)
    assert moved == {
        "BUYSTOCK B1": Decimal("-160.59"),
        "SELLSTOCK S1": Decimal("78.98"),
        "BUYMF B2": Decimal("-400"),
        "SELLMF S2": Decimal("208"),
        "REINVEST R1": Decimal("0"),
        "INCOME I1": Decimal("2.55"),
        "INVBANKTRAN C1": Decimal("5000"),
        "INVBANKTRAN C2": Decimal("-7.5"),
        "SPLIT P1": Decimal("0"),
        "TRANSFER T1": Decimal("0"),
        "INVEXPENSE E1": Decimal("-0.75"),
    }
    # Whose ticker the list of securities does not tell: its CUSIP is all that is known of it.
    assert (good(rows)["INCOME I2"].symbol, good(rows)["INCOME I2"].identifiers) == (None, ("000000000",))
    buy = good(rows)["BUYSTOCK B1"]
    assert (buy.line, buy.symbol, buy.price, buy.commission) == (21, "MSFT", Decimal("15.37"), Decimal("5"))
    assert buy.executed_at == dt.datetime(2024, 1, 3, 17, tzinfo=dt.UTC)
    assert buy.notes == "Bought & paid"
    assert bad(rows) == [
        (50, "BUYOPT is something that the ledger cannot hold."),
        (56, "It is a SELLSHORT: the ledger cannot hold less than nothing."),
    ]


async def test_it_is_imported(actor: Actor, portfolio_id: UUID) -> None:
    report = await import_rows(actor, portfolio_id, read(sample("investment.ofx")), skip_bad=True)
    assert [line for line, _ in refused(report)] == [50, 53, 56]
    found = await state(actor, portfolio_id)
    assert found["cash"] == [("4720.69",)]
    held = [("ABC", "5"), ("MSFT", "12.246"), ("VTI", "1.0149")]
    assert [(row[0], row[1]) for row in found["positions"]] == held


def test_both_versions_are_the_same() -> None:
    data = sample("investment.ofx")
    newer = as_version_2(data)
    assert guess(data) is guess(newer) is Format.OFX

    def facts(found: bytes) -> list[object]:
        rows = read(found)
        return [
            (row.source, row.type, row.amount, row.executed_at) if isinstance(row, ImportRow) else row.source
            for row in rows
        ]

    assert facts(newer) == facts(data)


def test_entities_neither_expand_nor_read_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    declared = f'<!DOCTYPE OFX [<!ENTITY a "ha">{laughs}<!ENTITY e SYSTEM "{secret.as_uri()}">]>\n'
    text = as_version_2(sample("investment.ofx")).decode()
    text = text.replace("<OFX>", f"{declared}<OFX>", 1).replace("WIRE IN", "&i;&e;")
    try:
        rows = list(read_ofx(text.encode()))
    except TransactionFileError:
        return
    notes = [row.notes or "" for row in rows if isinstance(row, ImportRow)]
    assert "&i;&e;" in notes
    assert not any("secret" in note or "haha" in note for note in notes)


@pytest.mark.parametrize(
    "text", ["OFXHEADER:100\n", "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\n<OFX>", f"{VERSION_2}<OFX></OFX>"]
)
def test_files_that_are_none(text: str) -> None:
    with pytest.raises(TransactionFileError):
        list(read_ofx(text.encode()))


@pytest.mark.parametrize("units", ["two", "NaN", "-sNaN", "1E999999999"])
def test_an_element_that_cannot_be_read_spoils_no_other(units: str) -> None:
    text = sample("investment.ofx").decode().replace("<COMMISSION>4.95", f"<COMMISSION>{units}").encode()
    rows = read(text)
    assert bad(rows)[0][0] == 21 or not good(rows)["BUYSTOCK B1"].commission < 10**18
    assert "SELLMF S2" in good(rows)
