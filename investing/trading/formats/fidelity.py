"""Read Fidelity's history of an account (CSV).

Columns: Run Date, Action, Symbol, Description, Type, Quantity, Price, Commission, Fees, Accrued Interest,
Amount, Settlement Date, and others that are not needed; with Account and Account Number if the file is of all
accounts. There is text above and below the table. An action begins with what happened and goes on with the
security's name. The amount is what moves cash, with its sign. Source: Fidelity, "Activity & Orders",
Download.
"""

import datetime as dt
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

HEADERS: Final = frozenset({"run date", "action", "symbol", "quantity", "price", "amount"})

CORE: Final = frozenset({"SPAXX", "FDRXX", "FCASH", "FZFXX", "FDLXX", "SPRXX", "CORE", "QPISQ", "FDIC99375"})
"""Where Fidelity keeps an account's cash. It counts as cash here: it is neither bought nor sold."""

_ACTIONS: Final[tuple[tuple[str, Action], ...]] = (
    ("PURCHASE INTO CORE", Action.CORE),
    ("REDEMPTION FROM CORE", Action.CORE),
    ("YOU BOUGHT OPENING", Action.UNSUPPORTED),
    ("YOU BOUGHT CLOSING", Action.UNSUPPORTED),
    ("YOU BOUGHT SHORT COVER", Action.UNSUPPORTED),
    ("YOU SOLD OPENING", Action.UNSUPPORTED),
    ("YOU SOLD CLOSING", Action.UNSUPPORTED),
    ("YOU SOLD SHORT", Action.UNSUPPORTED),
    ("YOU BOUGHT", Action.BUY),
    ("YOU SOLD", Action.SELL),
    ("BUY CANCEL", Action.CANCEL_BUY),
    ("SELL CANCEL", Action.CANCEL_SELL),
    ("REINVESTMENT", Action.BUY),
    ("DIVIDEND RECEIVED", Action.DIVIDEND),
    ("DIVIDEND ADJUSTMENT", Action.DIVIDEND),
    ("LONG-TERM CAP GAIN", Action.DIVIDEND),
    ("SHORT-TERM CAP GAIN", Action.DIVIDEND),
    ("RETURN OF CAPITAL", Action.RETURN_OF_CAPITAL),
    ("INTEREST EARNED", Action.INTEREST),
    ("INTEREST", Action.INTEREST),
    ("MARGIN INTEREST", Action.INTEREST),
    ("FOREIGN TAX PAID", Action.TAX),
    ("NON-RESIDENT TAX", Action.TAX),
    ("FED TAX W/H", Action.TAX),
    ("STATE TAX W/H", Action.TAX),
    ("FEE CHARGED", Action.FEE),
    ("ADVISORY FEE", Action.FEE),
    ("ADR FEE", Action.FEE),
    ("SERVICE CHARGE", Action.FEE),
    ("WIRE FEE", Action.FEE),
    ("IN LIEU OF", Action.IN_LIEU),
    ("ELECTRONIC FUNDS TRANSFER", Action.FLOW),
    ("DIRECT DEPOSIT", Action.FLOW),
    ("DIRECT DEBIT", Action.FLOW),
    ("CHECK RECEIVED", Action.FLOW),
    ("CHECK PAID", Action.FLOW),
    ("WIRE TRANSFER", Action.FLOW),
    ("CASH CONTRIBUTION", Action.FLOW),
    ("CONTRIBUTION", Action.FLOW),
    ("PARTIC CONTR", Action.FLOW),
    ("CO CONTR", Action.FLOW),
    ("NORMAL DISTR", Action.FLOW),
    ("EARLY DISTR", Action.FLOW),
    ("BILL PAYMENT", Action.FLOW),
    ("DEBIT CARD PURCHASE", Action.FLOW),
    ("TRANSFERRED FROM", Action.SHARES),
    ("TRANSFERRED TO", Action.SHARES),
    ("TRANSFER OF ASSETS", Action.SHARES),
    ("JOURNALED", Action.SHARES),
    ("DISTRIBUTION", Action.SPLIT),
    ("REVERSE SPLIT", Action.SPLIT),
    ("STOCK SPLIT", Action.SPLIT),
    ("MERGER", Action.UNSUPPORTED),
    ("EXPIRED", Action.UNSUPPORTED),
    ("ASSIGNED", Action.UNSUPPORTED),
)
"""What an action begins with; the first that fits."""


def read_fidelity(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of the history. Raise TransactionFileError if the file is none."""
    table = read_table(decode(data), HEADERS, "run date")
    return read_listed(table, options, _read, "account number", "account")


def _read(record: CsvRecord) -> Listed:
    words = record.text("action")
    symbol = record.text("symbol") or None
    where = Where(
        record.line,
        " ".join(words.split())[:60],
        _date(record.text("run date")),
        record.text("currency") or "USD",
        words or None,
    )
    starts = words.upper()
    action = next((action for start, action in _ACTIONS if starts.startswith(start)), None)
    if action is None:
        raise InvalidInput(f"{shown(words)} is no action that is known.", ("type",))
    if symbol is not None and symbol.startswith("-"):
        raise InvalidInput("This is an option, which the ledger cannot hold.")
    if symbol in CORE:
        # Its dividends are interest on cash, and nothing of it is bought or sold.
        symbol, action = None, Action.INTEREST if action is Action.DIVIDEND else _in_core(action)
    costs = sum((record.number(name) or ZERO for name in ("commission", "fees")), ZERO)
    return Listed(action, where, symbol, costs)


def _in_core(action: Action) -> Action:
    return Action.CORE if action in (Action.BUY, Action.SELL) else action


def _date(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%b-%d-%Y").date()  # noqa: DTZ007
    except ValueError:
        return us_date(text)
