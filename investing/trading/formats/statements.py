"""What the readers of brokers' statements share: amounts with signs made rows of the ledger."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import TransactionType
from investing.rules.import_rows import BadRow, ImportRow
from investing.rules.ledger import ZERO
from investing.rules.refusals import InvalidInput


@dataclass(frozen=True)
class Where:
    """Where a row stands: its line, what the file calls it, when it was, its currency and its words; what it
    calls the instrument beside its symbol, and what its owner should know of how it was read.
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
        """A row from here."""
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
    ) -> ImportRow:
        """A trade that moves cash by exactly `net`, below zero for a purchase, of which `costs` are costs.

        Negative costs are a rebate, which the ledger has no word for: it makes the price better then.
        """
        commission = max(costs, ZERO)
        amount = -net - commission if buys else net + commission
        if amount < 0:
            raise InvalidInput("The statement's net amount has the wrong sign for this trade.", ("amount",))
        return self.row(
            TransactionType.BUY if buys else TransactionType.SELL,
            symbol=symbol,
            quantity=abs(quantity),
            price=None if costs < 0 else price,
            amount=amount,
            commission=commission,
        )

    def cash(
        self,
        amount: Decimal,
        incoming: TransactionType,
        outgoing: TransactionType,
        symbol: str | None = None,
    ) -> ImportRow:
        """Cash in or out by its sign. What comes in for an instrument can only be called a DIVIDEND."""
        type = incoming if amount > 0 else outgoing
        if type in (TransactionType.INTEREST, TransactionType.DEPOSIT, TransactionType.WITHDRAWAL):
            symbol = None
        if type is TransactionType.DIVIDEND and symbol is None:
            type = TransactionType.INTEREST
        return self.row(type, symbol=symbol, amount=abs(amount))


def unsupported(line: int, source: str, reason: str) -> BadRow:
    """A row that says what the ledger cannot hold."""
    return BadRow(line, InvalidInput(reason), source)
