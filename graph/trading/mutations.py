"""Recording what happened elsewhere, reversing it, and moving shares between portfolios."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, cast
from uuid import UUID

import strawberry

from db.trading.listing_rows import ListedTransactionRow
from graph.context import Info
from graph.loaders.trading import TransactionById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticatedWhenWriting, OwnsAccount, OwnsPortfolio, OwnsTransaction
from graph.trading.types import Transaction
from graph.vocabulary import TransactionType
from graph.warnings import Warning
from investing.rules import warnings as warning_rules
from investing.trading.recording import TransactionRequest, recorded
from investing.trading.reversing import reverse_transaction
from investing.trading.share_transfers import ShareTransfer, transfer_shares


@strawberry.input(
    description="A transaction to record. BUY and SELL need a symbol, a quantity and a price; DIVIDEND a "
    "symbol and an amount; SPLIT a symbol, a quantity and splitFor; a transfer of shares a "
    "symbol and a quantity and, if incoming, its cost as amount or price; everything else an "
    "amount. It belongs to a portfolio or, if it concerns only cash, such as interest, to the "
    "account's unallotted cash."
)
class RecordTransactionInput:
    account_id: strawberry.ID | None = strawberry.field(
        description="The account, if there is no portfolio; with a portfolio, it must be the portfolio's.",
        default=None,
    )
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio; if left out, the account's unallotted cash.", default=None
    )
    type: TransactionType = strawberry.field(description="The type of the transaction.")
    symbol: str | None = strawberry.field(description="The instrument's symbol.", default=None)
    quantity: Decimal | None = strawberry.field(
        description="The number of shares; for a split, of new shares for every splitFor old ones.",
        default=None,
    )
    price: Decimal | None = strawberry.field(description="The price of a share.", default=None)
    amount: Decimal | None = strawberry.field(
        description="The amount before commission; for a trade it follows from the price.",
        default=None,
    )
    commission: Decimal = strawberry.field(description="The broker's commission.", default=Decimal(0))
    split_for: Decimal | None = strawberry.field(
        description="Only for SPLIT: the number of old shares that `quantity` new ones replace; 1 if left "
        "out. A 3-for-2 split has quantity 3 and splitFor 2, a 1-for-10 reverse split quantity 1 "
        "and splitFor 10.",
        default=None,
    )
    executed_at: dt.datetime = strawberry.field(description="When it happened, not in the future.")
    notes: str | None = strawberry.field(description="A note of your own.", default=None)
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.input(description="A transaction to reverse.")
class ReverseTransactionInput:
    transaction_id: strawberry.ID = strawberry.field(description="The transaction.")
    notes: str | None = strawberry.field(description="A note of your own.", default=None)
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.input(description="Shares to move from one of your portfolios to another.")
class TransferSharesInput:
    from_portfolio_id: strawberry.ID = strawberry.field(description="The portfolio that they come from.")
    to_portfolio_id: strawberry.ID = strawberry.field(description="The portfolio that they go to.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    quantity: Decimal = strawberry.field(description="The number of shares, greater than zero.")
    executed_at: dt.datetime | None = strawberry.field(
        description="When it happened, not in the future; now if left out.", default=None
    )
    notes: str | None = strawberry.field(description="A note of your own.", default=None)
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.type(description="The transaction, or the reasons why nothing was recorded.")
class TransactionPayload(Payload):
    transaction: Transaction | None = strawberry.field(description="The transaction.", default=None)
    warnings: list[Warning] = strawberry.field(
        description="What to know about what was done. ADJUSTED_PRICES: the prices already include this "
        "dividend. DUPLICATE_SPLIT: the split was on the ledger already, and this is its "
        "transaction.",
        default_factory=list,
    )

    @classmethod
    async def load(
        cls, info: Info, id: UUID, warnings: Sequence[warning_rules.Warning] = ()
    ) -> "TransactionPayload":
        """Return the payload with the transaction of this row id."""
        row = await info.context.loader(TransactionById).load_existing(id)
        return cls(transaction=Transaction.from_row(row), warnings=[Warning.of(each) for each in warnings])


@strawberry.type
class TradingMutation:
    @strawberry.mutation(
        description="Records a transaction at any point in time. If the ledger already has a split of the "
        "same instrument and ratio within seven days, it is not recorded again, and that one is "
        "returned.",
        extensions=[
            Guard(
                IsAuthenticatedWhenWriting(),
                OwnsAccount("input", "account_id"),
                OwnsPortfolio("input", "portfolio_id", locked=True),
            )
        ],
    )
    async def record_transaction(
        self, info: Info, input: Annotated[RecordTransactionInput, INPUT]
    ) -> TransactionPayload | None:
        record = TransactionRequest(
            account_id=None if input.account_id is None else own_id("Account", input.account_id),
            portfolio_id=None if input.portfolio_id is None else own_id("Portfolio", input.portfolio_id),
            type=input.type,
            symbol=input.symbol,
            quantity=input.quantity,
            price=input.price,
            amount=input.amount,
            commission=input.commission,
            split_for=input.split_for,
            executed_at=input.executed_at,
            notes=input.notes,
        )
        done = await recorded(actor_of(info.context), record, input.idempotency_key)
        if done.row is None:
            return await TransactionPayload.load(info, done.id, done.warnings)
        warnings = [Warning.of(each) for each in done.warnings]
        # Just posted: it has Decimals where a stored row has their text, and both are serialized alike.
        row = cast("ListedTransactionRow", done.row)
        return TransactionPayload(transaction=Transaction.from_row(row), warnings=warnings)

    @strawberry.mutation(
        description="Reverses a transaction, from its own day on, with one of the opposite sign; a transfer "
        "between your own portfolios is reversed on both sides. Returns the reversing "
        "transaction.",
        extensions=[Guard(IsAuthenticatedWhenWriting(), OwnsTransaction("input", "transaction_id"))],
    )
    async def reverse_transaction(
        self, info: Info, input: Annotated[ReverseTransactionInput, INPUT]
    ) -> TransactionPayload | None:
        transaction_id = own_id("Transaction", input.transaction_id)
        actor = actor_of(info.context)
        id = await reverse_transaction(actor, transaction_id, input.notes, input.idempotency_key)
        return await TransactionPayload.load(info, id)

    @strawberry.mutation(
        description="Moves shares between two of your portfolios together with their lots and their cost, "
        "the oldest lots first. Returns the incoming transaction.",
        extensions=[
            Guard(
                IsAuthenticatedWhenWriting(),
                OwnsPortfolio("input", "from_portfolio_id"),
                OwnsPortfolio("input", "to_portfolio_id"),
            )
        ],
    )
    async def transfer_shares(
        self, info: Info, input: Annotated[TransferSharesInput, INPUT]
    ) -> TransactionPayload | None:
        transfer = ShareTransfer(
            from_portfolio_id=own_id("Portfolio", input.from_portfolio_id),
            to_portfolio_id=own_id("Portfolio", input.to_portfolio_id),
            symbol=input.symbol,
            quantity=input.quantity,
            executed_at=input.executed_at,
            notes=input.notes,
        )
        id = await transfer_shares(actor_of(info.context), transfer, input.idempotency_key)
        return await TransactionPayload.load(info, id)
