"""Interactive Brokers' Flex statements."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

import pytest

from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow
from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.flex import read_flex
from investing.trading.importing import import_rows
from tests.investing.trading.formats.reading import bad, cash, good, ignored, read, sample
from tests.investing.trading.ledgers import refused, state


def test_cash_is_the_statements_own() -> None:
    """Every row moves the netCash, amount or cashTransfer that the statement gives."""
    data = sample("flex.xml")
    stated = {}
    for element in ElementTree.fromstring(data).iter():
        id = element.get("tradeID") or element.get("transactionID")
        amount = element.get("netCash") or element.get("cashTransfer") or element.get("amount")
        stated[f"{element.tag} {id}"] = amount and Decimal(amount.replace(",", ""))
    rows = good(read(data))
    assert len(rows) == 15
    assert {source: cash(row) for source, row in rows.items()} == {id: stated[id] for id in rows}


def test_what_each_row_is() -> None:
    rows = read(sample("flex.xml"))
    found = good(rows)
    buy, rebate, split = (found[name] for name in ("Trade 101", "Trade 103", "CorporateAction 201"))
    assert (buy.line, buy.symbol, buy.quantity, buy.price) == (18, "MSFT", Decimal(20), Decimal("400.0123"))
    assert (buy.amount, buy.commission) == (Decimal("8000.246"), Decimal("1.00015"))
    assert buy.executed_at == dt.datetime(2024, 1, 3, 14, 30, 1, tzinfo=dt.UTC)
    # A rebate makes the price better.
    assert (rebate.amount, rebate.price, rebate.commission) == (Decimal("519.6"), None, Decimal(0))
    assert (split.type, split.quantity, split.split_for) == (TransactionType.SPLIT, Decimal(3), Decimal(2))
    assert found["CashTransaction 904"].type is TransactionType.FEE
    assert found["CashTransaction 905"].type is TransactionType.DIVIDEND
    assert bad(rows) == [
        (21, "It is of asset class OPT, which the ledger cannot hold."),
        (22, "It is an exchange of currencies, which the ledger cannot hold."),
        (24, "It cannot be read: Trade.quantity - Can't convert 'abc' to <class 'decimal.Decimal'>."),
        (29, "It is a corporate action (merger) that the ledger cannot hold."),
    ]
    # AccountInformation, a sum of a row that is here, and an order beside its execution.
    assert ignored(rows) == [5, 15, 25]
    assert [row.line for row in rows if isinstance(row, ImportRow) and row.currency == "EUR"] == [23]


async def test_it_is_imported(actor: Actor, portfolio_id: UUID) -> None:
    rows = read(sample("flex.xml"))
    report = await import_rows(actor, portfolio_id, rows, skip_bad=True)
    assert [line for line, _ in refused(report)] == [21, 22, 23, 24, 29]
    found = await state(actor, portfolio_id)
    total = sum((cash(row) for row in good(rows).values()), Decimal(0))
    assert found["cash"] == [(f"{total:f}",)]
    assert [(row[0], row[1]) for row in found["positions"]] == [("ABC", "5"), ("MSFT", "26"), ("VTI", "2")]
    again = await import_rows(actor, portfolio_id, rows, skip_bad=True)
    assert (again.written, await state(actor, portfolio_id)) == (False, found)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><FlexQueryResponse a="&i;"><Trade symbol="&i;"/></FlexQueryResponse>'
)


@pytest.mark.parametrize("outside", ["SYSTEM", 'PUBLIC "x"'])
def test_documents_that_declare_anything_are_refused(tmp_path: Path, outside: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    external = (
        f'<!DOCTYPE x [<!ENTITY e {outside} "{secret.as_uri()}">]>'
        '<FlexQueryResponse><Trade symbol="MSFT">&e;</Trade></FlexQueryResponse>'
    )
    for text in (LAUGHS, external, f'<!DOCTYPE x {outside} "{secret.as_uri()}"><FlexQueryResponse/>'):
        with pytest.raises(TransactionFileError, match="declares a document type"):
            list(read_flex(text.encode()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<FlexQueryResponse>", "The XML is broken: no element found"),
        ("<html/>", "its root is not FlexQueryResponse"),
        ("<FlexQueryResponse/>", "has no trades"),
        ('<?xml version="1.0" encoding="klingon"?><FlexQueryResponse/>', "unknown encoding"),
        ("<FlexQueryResponse>\0</FlexQueryResponse>", "The XML is broken"),
        ("<FlexQueryResponse>&nobody;</FlexQueryResponse>", "undefined entity"),
    ],
)
def test_files_that_are_none(text: str, message: str) -> None:
    with pytest.raises(TransactionFileError, match=message):
        list(read_flex(text.encode()))


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (
            '<Trade symbol="A" dateTime="2024-01-02" quantity="1"/>',
            "It has no proceeds: add it to the query.",
        ),
        (
            '<Trade symbol="A" dateTime="2024-01-02" quantity="1" netCash="1" tradePrice="1"/>',
            "The statement's net amount has the wrong sign for this trade.",
        ),
        (
            '<Trade symbol="A" buySell="BUY (Ca.)" quantity="1"/>',
            "It cancels a trade that is not in this file: if that one was imported before, reverse it.",
        ),
        ('<Trade quantity="1" netCash="-1" tradePrice="1"/>', "It has no date."),
        (
            '<Order symbol="A" quantity="1"/>',
            "The query has orders without their executions: choose executions.",
        ),
        (
            '<Trade symbol="A" dateTime="2024-01-02" quantity="NaN" netCash="NaN" tradePrice="1"/>',
            "One of its numbers cannot be read.",
        ),
        ('<CashTransaction amount="1" dateTime="2024-01-02"/>', "It has no type that the ledger knows."),
    ],
)
def test_elements_that_lack_something(element: str, message: str) -> None:
    rows = read(f"<FlexQueryResponse>{element}</FlexQueryResponse>".encode())
    assert bad(rows) == [(1, message)]
