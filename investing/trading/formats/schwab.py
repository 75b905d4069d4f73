"""Read Charles Schwab's history of transactions (CSV).

Columns: Date, Action, Symbol, Description, Quantity, Price, Fees & Comm, Amount. The amount is what moves
cash, with its sign, costs included. A date may be "posted as of another one", which then is the day that
counts. All of it is in dollars. Source: Schwab, "Transaction History", Export.
"""

import re
from collections.abc import Iterator
from typing import Final

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.actions import Action
from investing.trading.formats.csv_tables import CsvRecord, read_table, us_date
from investing.trading.formats.files import NO_OPTIONS, Options, decode, shown
from investing.trading.formats.listed import Listed, read_listed
from investing.trading.formats.statements import Where

HEADERS: Final = frozenset({"date", "action", "symbol", "quantity", "price", "fees & comm", "amount"})

_ACTIONS: Final[dict[str, Action]] = {
    **dict.fromkeys(("buy", "reinvest shares"), Action.BUY),
    "sell": Action.SELL,
    "cancel buy": Action.CANCEL_BUY,
    "cancel sell": Action.CANCEL_SELL,
    **dict.fromkeys(
        (
            *("cash dividend", "qualified dividend", "non-qualified div", "special dividend"),
            *("special qual div", "special non qual div", "pr yr cash div", "pr yr non-qual div"),
            *("pr yr special div", "pr yr div reinvest", "qual div reinvest", "reinvest dividend"),
            *("non-qual div reinvest", "long term cap gain", "short term cap gain"),
            *("long term cap gain reinvest", "short term cap gain reinvest"),
        ),
        Action.DIVIDEND,
    ),
    "return of capital": Action.RETURN_OF_CAPITAL,
    **dict.fromkeys(
        ("bank interest", "bond interest", "credit interest", "margin interest", "interest"), Action.INTEREST
    ),
    **dict.fromkeys(("adr mgmt fee", "service fee", "misc fee", "wire fee", "advisor fee"), Action.FEE),
    **dict.fromkeys(("foreign tax paid", "nra tax adj", "nra tax", "nra withholding"), Action.TAX),
    **dict.fromkeys(("backup withholding", "tax withholding"), Action.TAX),
    **dict.fromkeys(
        (
            *("moneylink transfer", "moneylink deposit", "moneylink adj", "wire funds", "wire sent"),
            *("wire received", "wire funds received", "wire funds adj", "funds received", "funds paid"),
            *("deposit", "withdrawal", "direct deposit", "atm withdrawal", "visa purchase", "bill pay"),
            *("electronic fund transfer", "misc cash entry", "misc credits", "promotional award"),
        ),
        Action.FLOW,
    ),
    **dict.fromkeys(("journal", "internal transfer"), Action.TRANSFER),
    **dict.fromkeys(("security transfer", "journaled shares", "stock plan activity"), Action.SHARES),
    "cash in lieu": Action.IN_LIEU,
    **dict.fromkeys(("stock split", "reverse split"), Action.SPLIT),
    **dict.fromkeys(("sell short", "buy to cover", "buy to open", "sell to open"), Action.UNSUPPORTED),
    **dict.fromkeys(("buy to close", "sell to close", "expired", "assigned"), Action.UNSUPPORTED),
    **dict.fromkeys(("exchange or exercise", "stock merger", "spin-off", "name change"), Action.UNSUPPORTED),
}

_AS_OF = re.compile(r".*\bas of\s+", re.IGNORECASE)


def read_schwab(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of the history. Raise TransactionFileError if the file is none."""
    return read_listed(read_table(decode(data), HEADERS, "date"), options, _read)


def _read(record: CsvRecord) -> Listed:
    words = record.text("action")
    date = us_date(_AS_OF.sub("", record.text("date")))
    where = Where(record.line, words, date, "USD", record.text("description") or None)
    action = _ACTIONS.get(" ".join(words.casefold().split()))
    if action is None:
        raise InvalidInput(f"{shown(words)} is no action that is known.", ("type",))
    symbol = record.text("symbol") or None
    return Listed(action, where, symbol, record.number("fees & comm") or ZERO)
