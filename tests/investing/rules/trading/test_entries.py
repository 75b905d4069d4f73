"""What a recorded transaction must say: by its type, what is needed, what may be there, and what may not."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from db.ids import uuid7
from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.trading.entries import LONGEST_NOTES, check_notes, entry_of
from investing.rules.trading.ledger import Entry

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
T = TransactionType


def made(type: TransactionType, symbol: bool = False, at: dt.datetime = NOW, **facts: str) -> Entry:
    """The entry of these facts, given as text."""
    given: dict[str, Any] = {name: Decimal(value) for name, value in facts.items()}
    return entry_of(uuid7(), type, at, NOW, has_symbol=symbol, **given)


def test_a_trades_amount_is_quantity_times_price_rounded_half_up() -> None:
    assert made(T.BUY, True, quantity="0.5", price="0.0000000001").amount == Decimal("0.0000000001")
    assert made(T.SELL, True, quantity="3", price="1.1", amount="3.3").amount == Decimal("3.3")
    with pytest.raises(InvalidInput, match=r"which is 3\.3\."):
        made(T.SELL, True, quantity="3", price="1.1", amount="3.4")


def test_shares_and_cash_are_told_apart() -> None:
    assert made(T.TRANSFER_IN, True, quantity="2", amount="3").of_shares
    assert made(T.TRANSFER_IN, True, quantity="2", price="3").amount == 6
    assert made(T.TRANSFER_OUT, True, quantity="2").amount == 0
    assert not made(T.TRANSFER_IN, amount="3").of_shares
    assert not made(T.DIVIDEND, True, amount="3").of_shares
    assert made(T.SPLIT, True, quantity="2").split_for == 1


@pytest.mark.parametrize(
    ("type", "symbol", "facts", "field"),
    [
        (T.BUY, False, {"quantity": "1", "price": "1"}, "symbol"),
        (T.SPLIT, False, {"quantity": "1"}, "symbol"),
        (T.DIVIDEND, False, {"amount": "1"}, "symbol"),
        (T.DEPOSIT, True, {"amount": "1"}, "symbol"),
        (T.WITHDRAWAL, True, {"amount": "1"}, "symbol"),
        (T.INTEREST, True, {"amount": "1"}, "symbol"),
        (T.BUY, True, {"price": "1"}, "quantity"),
        (T.BUY, True, {"quantity": "-1", "price": "1"}, "quantity"),
        (T.BUY, True, {"quantity": "1", "price": "-1"}, "price"),
        (T.SELL, True, {"quantity": "1", "amount": "1"}, "price"),
        (T.TRANSFER_IN, True, {"quantity": "1", "amount": "-1"}, "amount"),
        (T.TRANSFER_IN, False, {"amount": "0"}, "amount"),
        (T.TRANSFER_OUT, False, {}, "amount"),
        (T.DIVIDEND, True, {"amount": "1", "quantity": "1"}, "quantity"),
        (T.FEE, False, {"amount": "1", "price": "1"}, "quantity"),
        (T.SPLIT, True, {"quantity": "2", "split_for": "0"}, "splitFor"),
        (T.SPLIT, True, {"quantity": "2", "price": "1"}, "amount"),
        (T.BUY, True, {"quantity": "1", "price": "1", "split_for": "1"}, "splitFor"),
        (T.FEE, False, {"amount": "1", "commission": "-0.1"}, "commission"),
        (T.BUY, True, {"quantity": "1000000000", "price": "1000000000"}, "amount"),
    ],
)
def test_refusals_name_the_fact(
    type: TransactionType, symbol: bool, facts: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(type, symbol, NOW, **facts)
    assert refused.value.field == (field,)


def test_nothing_is_recorded_before_it_happens() -> None:
    with pytest.raises(InvalidInput) as refused:
        made(T.DEPOSIT, at=NOW + dt.timedelta(microseconds=1), amount="1")
    assert refused.value.field == ("executedAt",)


def test_notes() -> None:
    check_notes(None)
    check_notes("x" * LONGEST_NOTES)
    with pytest.raises(InvalidInput):
        check_notes("x" * (LONGEST_NOTES + 1))
