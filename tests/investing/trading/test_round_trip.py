"""Whatever the ledger takes, an export and an import make it again: random ledgers, with Hypothesis."""

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.canonical import decimal, instant
from db.vocabulary import AccountType, TransactionType
from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow
from investing.trading.importing import import_rows
from tests.investing.trading.ledgers import (
    START,
    differences,
    exported,
    import_csv,
    make_portfolio,
    state,
    statuses,
)

_AMOUNTS = st.decimals(Decimal("0.0000000001"), Decimal(100_000), places=10)
_SMALL = st.decimals(Decimal(0), Decimal(10), places=10)
_PRICES = st.decimals(Decimal("0.01"), Decimal(1000), places=10)
_NOTES = st.none() | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)
_SHARE_TYPES = st.sampled_from(["BUY", "BUY", "SELL", "TRANSFER_IN", "TRANSFER_OUT", "SPLIT"])
_CASH_TYPES = st.sampled_from(
    ["DEPOSIT", "WITHDRAWAL", "INTEREST", "FEE", "TAX", "TRANSFER_IN", "TRANSFER_OUT", "DIVIDEND"]
)


@st.composite
def _row(draw: Any) -> ImportRow:
    # Few instants, so that many rows share one.
    when = START + dt.timedelta(days=draw(st.integers(0, 8)), microseconds=draw(st.integers(0, 1)))
    facts: dict[str, Any] = {"commission": draw(_SMALL), "notes": draw(_NOTES)}
    if draw(st.booleans()):
        type = draw(_SHARE_TYPES)
        facts |= {"symbol": draw(st.sampled_from(["ABC", "XYZ"])), "quantity": draw(_AMOUNTS)}
        if type == "SPLIT":
            facts |= {
                "quantity": Decimal(draw(st.integers(1, 7))),
                "split_for": Decimal(draw(st.integers(1, 3))),
            }
        elif type == "TRANSFER_IN":
            facts["amount"] = draw(_AMOUNTS)
        elif type != "TRANSFER_OUT":
            facts["price"] = draw(_PRICES)
    else:
        type = draw(_CASH_TYPES)
        facts["amount"] = draw(_AMOUNTS)
        if type == "DIVIDEND":
            facts["symbol"] = "ABC"
    return ImportRow(1, TransactionType(type), when, **facts)


_FUNDS = ImportRow(1, TransactionType.DEPOSIT, START, amount=Decimal(10**9))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_row(), max_size=25), st.booleans(), st.integers(0, 25))
async def test_random_ledgers(actor: Actor, rows: list[ImportRow], margin: bool, first: int) -> None:
    kind = AccountType.MARGIN if margin else AccountType.CASH
    portfolio_id = await make_portfolio(actor, kind)
    # In two imports, so that the second one meets what is there, before and after.
    await import_rows(actor, portfolio_id, [_FUNDS, *rows[:first]], skip_bad=True)
    await import_rows(actor, portfolio_id, rows[first:], skip_bad=True)
    text = await exported(actor, portfolio_id)
    other = await make_portfolio(actor, kind)
    report = await import_csv(actor, other, text)
    assert set(statuses(report)) == {"OK"}
    assert await exported(actor, other) == text
    assert await state(actor, other) == await state(actor, portfolio_id)
    assert set(statuses(await import_csv(actor, other, text))) == {"DUPLICATE"}
    assert await differences(actor) == []


def test_texts_are_canonical() -> None:
    assert (decimal(Decimal("1.50")), instant(START)) == ("1.5", "2020-01-01T00:00:00.000000Z")
