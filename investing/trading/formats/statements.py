"""What the readers of brokers' statements share: turning signed amounts into rows of the ledger."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from db.canonical import decimal
from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput, shortened
from investing.rules.money import product, quotient
from investing.rules.trading.import_rows import BadRow, IgnoredRow, ImportRow
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.files import TransactionFileError

LARGEST_UNTOLD = Decimal("0.01")
"""Of quantity x price: a disagreement up to this is a fee that the broker does not itemise."""

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Where:
    """What a row has in common with others of its line, whatever its type.

    That is its line, what the file calls it, when it was, its currency and its description; what it calls the
    instrument beside its symbol, and what its owner should know of how it was read.
    """

    line: int
    source: str
    executed_at: dt.date
    currency: str | None
    notes: str | None = None
    identifiers: tuple[str, ...] = ()
    remark: str = ""

    def row(
        self,
        type: TransactionType,
        *,
        symbol: str | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        commission: Decimal = ZERO,
        split_for: Decimal | None = None,
        notes: str | None = None,
        remark: str = "",
    ) -> ImportRow:
        """Return a row of this line."""
        return ImportRow(
            self.line,
            type,
            self.executed_at,
            symbol=symbol,
            quantity=quantity,
            price=price,
            amount=amount,
            commission=commission,
            split_for=split_for,
            notes=(notes or self.notes or "")[:2000] or None,
            currency=self.currency,
            source=self.source,
            identifiers=self.identifiers,
            remark=" ".join(word for word in (self.remark, remark) if word),
        )

    def trade(
        self,
        symbol: str | None,
        quantity: Decimal,
        price: Decimal | None,
        net: Decimal,
        costs: Decimal,
        *,
        buys: bool,
        itemised: bool = True,
    ) -> ImportRow:
        """Return a trade that moves cash by exactly `net`, below zero for a purchase, `costs` included.

        Negative costs are a rebate, for which the ledger has no field: it improves the price instead. If a
        broker has not `itemised` all costs, the difference between total and price is a fee: see `_untold`.
        """
        commission, remark = max(costs, ZERO), ""
        amount = -net - commission if buys else net + commission
        if amount < 0:
            raise InvalidInput("The statement's net amount has the wrong sign for this trade.", ("amount",))
        if not itemised and price is not None and costs >= 0:
            amount, more, price, remark = _untold(abs(quantity), price, amount, buys=buys)
            commission += more
        return self.row(
            TransactionType.BUY if buys else TransactionType.SELL,
            symbol=symbol,
            quantity=abs(quantity),
            price=None if costs < 0 else price,
            amount=amount,
            commission=commission,
            remark=remark,
        )

    def cash(
        self,
        amount: Decimal,
        incoming: TransactionType,
        outgoing: TransactionType,
        symbol: str | None = None,
    ) -> ImportRow:
        """Return cash in or out by its sign; what comes in for an instrument can only be a DIVIDEND."""
        type = incoming if amount > 0 else outgoing
        if type in (TransactionType.INTEREST, TransactionType.DEPOSIT, TransactionType.WITHDRAWAL):
            return replace(self, identifiers=()).row(type, amount=abs(amount))
        if type is TransactionType.DIVIDEND and symbol is None and not self.identifiers:
            type = TransactionType.INTEREST
        return self.row(type, symbol=symbol, amount=abs(amount))


def _untold(
    quantity: Decimal, price: Decimal, amount: Decimal, *, buys: bool
) -> tuple[Decimal, Decimal, Decimal | None, str]:
    """Return the difference between a trade's total and its price as a fee, up to LARGEST_UNTOLD.

    Return amount, fee, price and a remark for the owner. LARGEST_UNTOLD is a share of the amount; a
    difference of a cent is rounding. If the total is better than the price says, the price follows from the
    total: None. Beyond the bound everything stays as it is.
    """
    worth = product(quantity, price)
    missing = amount - worth if buys else worth - amount
    if abs(missing) <= _CENT or abs(missing) > worth * LARGEST_UNTOLD:
        return amount, ZERO, price, ""
    if missing > 0:
        return worth, missing, price, f"{decimal(missing)} by which total and price differ is taken as a fee."
    better = decimal(quotient(amount, quantity))
    return (
        amount,
        ZERO,
        None,
        f"The total is {decimal(-missing)} better than the price: {better} is taken as the price.",
    )


def one_account(found: Mapping[str, int], wanted: str | None) -> str | None:
    """Return the account to read of those in a file; None for a file that names none.

    `found` has the number of rows of each. Raise TransactionFileError, which lists them, if there are several
    and none is wanted, or if the wanted one is missing.
    """
    several = ", ".join(f"{name} ({count} row{'s' * (count != 1)})" for name, count in found.items())
    if wanted is not None:
        if wanted not in found:
            others = f"has {several}" if several else "names none"
            raise TransactionFileError(f"The file has no account {shortened(wanted)}; it {others}.")
        return wanted
    if len(found) > 1:
        raise TransactionFileError(f"The file has several accounts; name one with --account: {several}.")
    return next(iter(found), None)


def of_another(line: int, source: str, account: str) -> IgnoredRow:
    """Return a row of an account that is not read."""
    return IgnoredRow(line, f"of account {account}, which was not asked for", source, f"row of {account}")


def unsupported(line: int, source: str, reason: str) -> BadRow:
    """Return a row that says what the ledger cannot hold."""
    return BadRow(line, InvalidInput(reason), source)
