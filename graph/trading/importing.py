"""Importing many transactions at once: the rows that a client sends, and the result of each."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Self

import strawberry

from graph.context import Info
from graph.ids import global_id
from graph.loaders.trading import ImportById, TransactionById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio
from graph.trading.imports import Import
from graph.trading.types import Transaction
from graph.user_errors import UserError, user_error
from graph.vocabulary import TransactionType
from graph.warnings import Warning
from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import ImportRow
from investing.trading.importing import MOST_ROWS, check_count, import_rows, import_rows_once
from investing.trading.reports import ImportReport, RowResult, RowStatus


@strawberry.enum(name="ImportRowStatus", description="What an import does with a row.")
class ImportRowStatus(Enum):
    OK = strawberry.enum_value("OK", description="Valid: recorded, unless nothing was recorded.")
    DUPLICATE = strawberry.enum_value(
        "DUPLICATE",
        description="Already on the ledger with the same figures; or a split of the same ratio is there "
        "within seven days.",
    )
    REFUSED = strawberry.enum_value("REFUSED", description="Rejected: its userError gives the reason.")


@strawberry.input(
    description="A transaction, as in recordTransaction. A trade may leave out its price if it has an "
    "amount, and its amount may be rounded to a cent."
)
class ImportRowInput:
    type: TransactionType = strawberry.field(description="The type of the transaction.")
    symbol: str | None = strawberry.field(description="The instrument's symbol.", default=None)
    quantity: Decimal | None = strawberry.field(
        description="The number of shares; for a split, of new shares for every splitFor old ones.",
        default=None,
    )
    price: Decimal | None = strawberry.field(description="The price of a share.", default=None)
    amount: Decimal | None = strawberry.field(description="The amount before commission.", default=None)
    commission: Decimal = strawberry.field(description="The broker's commission.", default=Decimal(0))
    split_for: Decimal | None = strawberry.field(
        description="Only for SPLIT: the number of old shares that `quantity` new ones replace.", default=None
    )
    executed_at: dt.datetime = strawberry.field(description="When it happened, not in the future.")
    notes: str | None = strawberry.field(description="A note of your own.", default=None)
    place: int | None = strawberry.field(
        description="Its position among the rows of the same instant, if the export gives one. Rows with a "
        "position come before those without.",
        default=None,
    )


@strawberry.input(description="Transactions of a portfolio to import.")
class ImportTransactionsInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    rows: list[ImportRowInput] = strawberry.field(
        description=f"At most {MOST_ROWS}, in any order, which makes no difference: they are recorded in "
        "order of time. Those of the same instant are recorded in this order: SPLIT; DEPOSIT, TRANSFER_IN, "
        "DIVIDEND, INTEREST; then repeatedly the first BUY or SELL (by symbol, BUY before SELL, quantity, "
        "price) that cash and shares allow; FEE, TAX; WITHDRAWAL, TRANSFER_OUT. What is already on the "
        "ledger comes before them."
    )
    dry_run: bool = strawberry.field(
        description="Whether only to report what would become of each row.", default=False
    )
    skip_bad: bool = strawberry.field(
        description="Whether to record the valid rows even if others are rejected; otherwise it is all or "
        "none.",
        default=False,
    )
    adjusted_quantities: bool = strawberry.field(
        description="Whether the quantities are already adjusted for splits: then no split of their "
        "instruments up to now is applied to them.",
        default=False,
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more, and returns the "
        "same result. A dry run does not use it up."
    )


@strawberry.type(description="The outcome of a row.")
class ImportOutcome:
    line: int = strawberry.field(description="The number of the row in the input, starting from 1.")
    status: ImportRowStatus = strawberry.field(description="What the import did with it.")
    user_error: UserError | None = strawberry.field(description="Why it was rejected.")
    warnings: list[Warning] = strawberry.field(description="Something to know about what was done.")
    outcome: strawberry.Private[RowResult]

    @classmethod
    def of(cls, outcome: RowResult) -> Self:
        """Return the outcome as clients see it."""
        domain_error, place = outcome.domain_error, str(outcome.line - 1)
        return cls(
            line=outcome.line,
            status=ImportRowStatus[outcome.status.name],
            user_error=None if domain_error is None else user_error(domain_error, ("input", "rows", place)),
            warnings=[Warning.of(each) for each in outcome.warnings],
            outcome=outcome,
        )

    @strawberry.field(description="The transaction that was recorded for it; null if there is none.")
    async def transaction(self, info: Info) -> Transaction | None:
        if self.outcome.transaction_id is None:
            return None
        row: Any = await info.context.loader(TransactionById).load(self.outcome.transaction_id)
        return None if row is None else Transaction.from_row(row)


@strawberry.type(description="The outcome of each row, or the reasons why nothing was done.")
class ImportTransactionsPayload(Payload):
    outcomes: list[ImportOutcome] = strawberry.field(
        description="One for each row, in the order of the input.", default_factory=list
    )
    written: bool = strawberry.field(description="Whether anything was recorded.", default=False)
    import_id: strawberry.ID | None = strawberry.field(
        description="The id of the import, for reverseImport; null if nothing was recorded.",
        default=None,
    )
    ok_count: int = strawberry.field(description="The number of valid rows.", default=0)
    duplicate_count: int = strawberry.field(description="The number of duplicate rows.", default=0)
    refused_count: int = strawberry.field(description="The number of rejected rows.", default=0)

    @strawberry.field(
        name="import", description="The import, which can be reversed; null if nothing was recorded."
    )
    async def import_(self, info: Info) -> Import | None:
        if self.import_id is None:
            return None
        row: Any = await info.context.loader(ImportById).load(own_id("Import", self.import_id))
        return None if row is None else Import.from_row(row)

    @classmethod
    def of(cls, report: ImportReport, *, explain: bool) -> Self:
        """Return the payload; if bad rows kept everything from being written, that is a userError as well."""
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
        description="Records many transactions at once, all or none. It is safe to run twice: a row that is "
        "already on the ledger with the same figures is a duplicate and has no effect, unless it "
        "came with an import that was reversed. reverseImport reverses an import.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def import_transactions(
        self, info: Info, input: Annotated[ImportTransactionsInput, INPUT]
    ) -> ImportTransactionsPayload | None:
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
