"""Importing many transactions at once: the rows that a client sends, and what came of each."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Self

import strawberry

from graph.context import Info
from graph.ids import global_id
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio
from graph.trading.imports import Import
from graph.trading.loaders import ImportById, TransactionById
from graph.trading.types import Transaction
from graph.user_errors import UserError, user_error
from graph.vocabulary import TransactionType
from graph.warnings import Warning
from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import ImportRow
from investing.trading.importing import MOST_ROWS, check_count, import_rows, import_rows_once
from investing.trading.reports import ImportReport, RowResult, RowStatus


@strawberry.enum(name="ImportRowStatus", description="What an import makes of a row.")
class ImportRowStatus(Enum):
    OK = strawberry.enum_value("OK", description="Good: written, unless nothing was.")
    DUPLICATE = strawberry.enum_value(
        "DUPLICATE",
        description="On the ledger already, with all its figures; or a split of the same ratio is there "
        "within seven days.",
    )
    REFUSED = strawberry.enum_value("REFUSED", description="Not written; its userError says why.")


@strawberry.input(
    description="One transaction, as in recordTransaction; a trade may leave out its price if it has an "
    "amount, and its amount may be rounded to a cent."
)
class ImportRowInput:
    type: TransactionType = strawberry.field(description="What it did.")
    symbol: str | None = strawberry.field(description="The instrument's symbol.", default=None)
    quantity: Decimal | None = strawberry.field(
        description="How many shares; for a split, how many new ones for every splitFor old ones.",
        default=None,
    )
    price: Decimal | None = strawberry.field(description="The price of a share.", default=None)
    amount: Decimal | None = strawberry.field(
        description="What it was worth before commission.", default=None
    )
    commission: Decimal = strawberry.field(description="What the broker took.", default=Decimal(0))
    split_for: Decimal | None = strawberry.field(
        description="SPLIT alone: quantity new shares for every so many old ones.", default=None
    )
    executed_at: dt.datetime = strawberry.field(description="When it happened, not in the future.")
    notes: str | None = strawberry.field(description="Your own words.", default=None)
    place: int | None = strawberry.field(
        description="Its place among the rows of its instant, where an export tells it. Rows that have one "
        "come before those that have none.",
        default=None,
    )


@strawberry.input(description="Transactions of one portfolio.")
class ImportTransactionsInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    rows: list[ImportRowInput] = strawberry.field(
        description=f"At most {MOST_ROWS}, in any order; it makes no difference: they are posted in the "
        "order of time. Those of the same instant: SPLIT; DEPOSIT, TRANSFER_IN, DIVIDEND, INTEREST; then "
        "always the first BUY or SELL (by symbol, BUY before SELL, quantity, price) that cash and shares "
        "allow; FEE, TAX; WITHDRAWAL, TRANSFER_OUT. What is on the ledger already comes before them."
    )
    dry_run: bool = strawberry.field(description="Only say what would come of each row.", default=False)
    skip_bad: bool = strawberry.field(
        description="Write the good rows even if others are refused; otherwise it is all or nothing.",
        default=False,
    )
    adjusted_quantities: bool = strawberry.field(
        description="The quantities are for shares of today already: no split of their instruments until now "
        "is posted after them.",
        default=False,
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID of your own: a retry with the same one does nothing more, and answers the same. "
        "A dry run does not use it up."
    )


@strawberry.type(description="What came of one row.")
class ImportOutcome:
    line: int = strawberry.field(description="The row's place in the list, counted from 1.")
    status: ImportRowStatus = strawberry.field(description="What the import made of it.")
    user_error: UserError | None = strawberry.field(description="Why it was refused.")
    warnings: list[Warning] = strawberry.field(description="Something to know about what was done.")
    outcome: strawberry.Private[RowResult]

    @classmethod
    def of(cls, outcome: RowResult) -> Self:
        """The outcome as clients see it."""
        domain_error, place = outcome.domain_error, str(outcome.line - 1)
        return cls(
            line=outcome.line,
            status=ImportRowStatus[outcome.status.name],
            user_error=None if domain_error is None else user_error(domain_error, ("input", "rows", place)),
            warnings=[Warning.of(each) for each in outcome.warnings],
            outcome=outcome,
        )

    @strawberry.field(description="The transaction that it made, null where nothing was written for it.")
    async def transaction(self, info: Info) -> Transaction | None:
        if self.outcome.transaction_id is None:
            return None
        row: Any = await info.context.loader(TransactionById).load(self.outcome.transaction_id)
        return None if row is None else Transaction.from_row(row)


@strawberry.type(description="What came of each row, or why nothing was done.")
class ImportTransactionsPayload(Payload):
    outcomes: list[ImportOutcome] = strawberry.field(
        description="One for each row, in their order.", default_factory=list
    )
    written: bool = strawberry.field(description="Whether anything was written.", default=False)
    import_id: strawberry.ID | None = strawberry.field(
        description="The import's id, which reverseImport takes; null where nothing was written.",
        default=None,
    )
    ok_count: int = strawberry.field(description="How many rows are good.", default=0)
    duplicate_count: int = strawberry.field(description="How many were there already.", default=0)
    refused_count: int = strawberry.field(description="How many are refused.", default=0)

    @strawberry.field(
        name="import", description="The import, which can be taken back; null where nothing was written."
    )
    async def import_(self, info: Info) -> Import | None:
        if self.import_id is None:
            return None
        row: Any = await info.context.loader(ImportById).load(own_id("Import", self.import_id))
        return None if row is None else Import.from_row(row)

    @classmethod
    def of(cls, report: ImportReport, *, explain: bool) -> Self:
        """The payload; where bad rows kept everything from being written, that is a userError as well."""
        refused = report.count(RowStatus.REFUSED)
        errors = []
        if explain and refused:
            total, are = len(report.outcomes), "is" if refused == 1 else "are"
            message = f"{refused} of {total} row{'s' * (total != 1)} {are} refused: nothing was written."
            errors.append(user_error(InvalidInput(message, ("rows",)), ("input",)))
        return cls(
            user_errors=errors,
            outcomes=[ImportOutcome.of(outcome) for outcome in report.outcomes],
            written=report.written,
            import_id=None if report.import_id is None else global_id("Import", report.import_id),
            ok_count=report.count(RowStatus.OK),
            duplicate_count=report.count(RowStatus.DUPLICATE),
            refused_count=refused,
        )


def _row(line: int, given: ImportRowInput) -> ImportRow:
    return ImportRow(
        line,
        given.type,
        given.executed_at,
        symbol=given.symbol,
        quantity=given.quantity,
        price=given.price,
        amount=given.amount,
        commission=given.commission,
        split_for=given.split_for,
        notes=given.notes,
        place=given.place,
    )


@strawberry.type
class ImportMutation:
    @strawberry.mutation(
        description="Puts many transactions on the ledger at once, all or nothing. Safe to run twice: a row "
        "that is there already, with all its figures, is a duplicate and does nothing, unless it came with "
        "an import that was taken back. reverseImport takes it back.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def import_transactions(
        self, info: Info, input: Annotated[ImportTransactionsInput, INPUT]
    ) -> ImportTransactionsPayload:
        check_count(len(input.rows))
        actor, portfolio_id = actor_of(info.context), own_id("Portfolio", input.portfolio_id)
        rows = [_row(line, given) for line, given in enumerate(input.rows, 1)]
        if input.dry_run:
            report = await import_rows(
                actor, portfolio_id, rows, dry_run=True, adjusted_quantities=input.adjusted_quantities
            )
        else:
            report = await import_rows_once(
                actor,
                portfolio_id,
                rows,
                skip_bad=input.skip_bad,
                adjusted_quantities=input.adjusted_quantities,
                idempotency_key=input.idempotency_key,
            )
        return ImportTransactionsPayload.of(report, explain=not (input.dry_run or input.skip_bad))
