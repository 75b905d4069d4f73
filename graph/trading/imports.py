"""Imports that can be reversed as a whole."""

import datetime as dt
from typing import Annotated, Any, Self

import strawberry

from db.trading.listing_rows import ListedImportRow
from graph.context import Info
from graph.ids import global_id
from graph.loaders.trading import ImportById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.node import PORTFOLIO, Node, refetched_by, related
from graph.permissions import IsAuthenticated, OwnsImport
from investing.trading.undoing import reverse_import


@strawberry.type(description="Transactions that were imported together and can be reversed together.")
class Import(Node):
    row: strawberry.Private[ListedImportRow]
    created_at: dt.datetime = strawberry.field(description="When they were imported.")
    format: str = strawberry.field(
        description="The format: `csv`, `ghostfolio`, `ibflex`, `ofx` or another one of the command "
        "import-transactions, or `api` for importTransactions."
    )
    transaction_count: int = strawberry.field(description="The number of transactions that it recorded.")
    reversed_at: dt.datetime | None = strawberry.field(
        description="When it was reversed as a whole; null if it was not."
    )

    @classmethod
    def from_row(cls, row: ListedImportRow) -> Self:
        """Return the import of a row of the list of imports."""
        return cls(
            row=row,
            id=global_id("Import", row["id"]),
            created_at=row["created_at"],
            format=row["format"],
            transaction_count=row["transaction_count"],
            reversed_at=row["reversed_at"],
        )

    @strawberry.field(description="The portfolio that they were imported into.", graphql_type=PORTFOLIO)
    async def portfolio(self, info: Info) -> Node:
        return await related(info, PORTFOLIO, self.row["portfolio_id"])


@strawberry.input(description="An import to reverse.")
class ReverseImportInput:
    import_id: strawberry.ID = strawberry.field(description="The import.")
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.type(description="The import as it is now, or the reasons why nothing was done.")
class ImportPayload(Payload):
    import_: Import | None = strawberry.field(name="import", description="The import.", default=None)


@strawberry.type
class ReverseImportMutation:
    @strawberry.mutation(
        description="Reverses an import as a whole: all transactions that it recorded are reversed, or none, "
        "and every figure is as it was before. If a later transaction depends on them, the "
        "userError names that transaction and its day. Afterwards the same rows can be imported "
        "again with a new idempotency key.",
        extensions=[Guard(IsAuthenticated(), OwnsImport("input", "import_id"))],
    )
    async def reverse_import(
        self, info: Info, input: Annotated[ReverseImportInput, INPUT]
    ) -> ImportPayload | None:
        import_id = own_id("Import", input.import_id)
        await reverse_import(actor_of(info.context), import_id, input.idempotency_key)
        info.context.forget()
        row: Any = await info.context.loader(ImportById).load(import_id)
        return ImportPayload(import_=Import.from_row(row))


refetched_by("Import", ImportById, Import.from_row)
