"""Opening and archiving accounts, and moving cash in, out and between them."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from db.vocabulary import TransactionType
from graph.account.types import Account
from graph.context import Info
from graph.loaders.account import AccountById
from graph.mutating import INPUT, Guard, Payload, actor_of, given, own_id
from graph.permissions import IsAuthenticated, IsAuthenticatedWhenWriting, OwnsAccount, OwnsPortfolio
from graph.scalars import CurrencyCode
from graph.trading.mutations import TransactionPayload
from graph.vocabulary import AccountType, Broker
from investing.account import service, transfers


@strawberry.input(description="An account to open.")
class CreateAccountInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among yours.")
    broker: Broker = strawberry.field(description="Who holds its assets.", default=Broker.PAPER)
    account_type: AccountType = strawberry.field(
        description="How it may use cash; this cannot be changed later.", default=AccountType.CASH
    )
    currency: CurrencyCode = strawberry.field(
        description="The currency of all its amounts; this cannot be changed later.",
        default=CurrencyCode("USD"),
    )
    initial_balance: Decimal = strawberry.field(description="Its first deposit.", default=Decimal(0))
    is_paper: bool = strawberry.field(
        description="Whether it is a paper account, with simulated money.", default=True
    )
    time_zone: str | None = strawberry.field(
        description="The IANA time zone of its days, such as Europe/Berlin; by default the server's.",
        default=None,
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more.", default=None
    )


@strawberry.input(description="Changes to an account; what is left out stays as it is.")
class UpdateAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    name: str | None = strawberry.field(
        description="1 to 100 characters, unique among yours.", default=strawberry.UNSET
    )
    time_zone: str | None = strawberry.field(
        description="The IANA time zone of its days, such as Europe/Berlin. After a change all its days are "
        "recomputed.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="An account to archive.")
class ArchiveAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@strawberry.input(description="An account to restore from the archive.")
class RestoreAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@strawberry.input(description="Cash to deposit or to withdraw.")
class CashInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio; if left out, the account's unallotted cash.", default=None
    )
    amount: Decimal = strawberry.field(
        description="The amount, greater than zero, in the account's currency."
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )
    notes: str | None = strawberry.field(description="A note of your own.", default=None)


@strawberry.input(description="Cash to move within an account.")
class TransferCashInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    from_portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio that the cash comes from; the account's unallotted cash if left out.",
        default=None,
    )
    to_portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio that the cash goes to; the account's unallotted cash if left out.",
        default=None,
    )
    amount: Decimal = strawberry.field(
        description="The amount, greater than zero, in the account's currency."
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )
    notes: str | None = strawberry.field(description="A note of your own.", default=None)


@strawberry.type(description="The account as it is now, or the reasons why nothing was done.")
class AccountPayload(Payload):
    account: Account | None = strawberry.field(description="The account.", default=None)


async def _account(info: Info, id: UUID) -> AccountPayload:
    row = await info.context.loader(AccountById).load_existing(id)
    return AccountPayload(account=Account.from_row(row))


async def _set_active(info: Info, account_id: strawberry.ID, is_active: bool) -> AccountPayload:
    id = own_id("Account", account_id)
    await service.set_account_active(actor_of(info.context), id, is_active)
    return await _account(info, id)


async def _move(info: Info, type: TransactionType, input: CashInput) -> TransactionPayload:
    id = await service.move_cash(
        actor_of(info.context),
        type,
        own_id("Account", input.account_id),
        None if input.portfolio_id is None else own_id("Portfolio", input.portfolio_id),
        input.amount,
        input.idempotency_key,
        input.notes,
    )
    return await TransactionPayload.load(info, id)


_OWNS_CASH = (
    IsAuthenticatedWhenWriting(),
    OwnsAccount("input", "account_id", locked=True),
    OwnsPortfolio("input", "portfolio_id", locked=True),
)


@strawberry.type
class AccountMutation:
    @strawberry.mutation(description="Opens an account.", extensions=[Guard(IsAuthenticated())])
    async def create_account(
        self, info: Info, input: Annotated[CreateAccountInput, INPUT]
    ) -> AccountPayload | None:
        new = service.NewAccount(
            name=input.name,
            broker=input.broker,
            account_type=input.account_type,
            currency=input.currency,
            initial_balance=input.initial_balance,
            is_paper=input.is_paper,
            time_zone=info.context.services.time_zone if input.time_zone is None else input.time_zone,
        )
        id = await service.create_account(actor_of(info.context), new, idempotency_key=input.idempotency_key)
        return await _account(info, id)

    @strawberry.mutation(
        description="Changes the name or the time zone of an account, or both.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def update_account(
        self, info: Info, input: Annotated[UpdateAccountInput, INPUT]
    ) -> AccountPayload | None:
        id = own_id("Account", input.account_id)
        name, time_zone = given("name", input.name), given("timeZone", input.time_zone)
        await service.change_account(actor_of(info.context), id, name=name, time_zone=time_zone)
        return await _account(info, id)

    @strawberry.mutation(
        description="Archives an account: it keeps its history and its cash, but accepts "
        "no more entries. It has no open orders.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def archive_account(
        self, info: Info, input: Annotated[ArchiveAccountInput, INPUT]
    ) -> AccountPayload | None:
        return await _set_active(info, input.account_id, False)

    @strawberry.mutation(
        description="Restores an account from the archive.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def restore_account(
        self, info: Info, input: Annotated[RestoreAccountInput, INPUT]
    ) -> AccountPayload | None:
        return await _set_active(info, input.account_id, True)

    @strawberry.mutation(description="Records a deposit of cash.", extensions=[Guard(*_OWNS_CASH)])
    async def deposit(self, info: Info, input: Annotated[CashInput, INPUT]) -> TransactionPayload | None:
        return await _move(info, TransactionType.DEPOSIT, input)

    @strawberry.mutation(
        description="Records a withdrawal of cash: never more than there is, even in a margin account.",
        extensions=[Guard(*_OWNS_CASH)],
    )
    async def withdraw(self, info: Info, input: Annotated[CashInput, INPUT]) -> TransactionPayload | None:
        return await _move(info, TransactionType.WITHDRAWAL, input)

    @strawberry.mutation(
        description="Moves cash between an account and its portfolios. Returns the incoming transaction.",
        extensions=[
            Guard(
                IsAuthenticatedWhenWriting(),
                OwnsAccount("input", "account_id", locked=True),
                OwnsPortfolio("input", "from_portfolio_id"),
                OwnsPortfolio("input", "to_portfolio_id"),
            )
        ],
    )
    async def transfer_cash(
        self, info: Info, input: Annotated[TransferCashInput, INPUT]
    ) -> TransactionPayload | None:
        id = await transfers.transfer_cash(
            actor_of(info.context),
            own_id("Account", input.account_id),
            None if input.from_portfolio_id is None else own_id("Portfolio", input.from_portfolio_id),
            None if input.to_portfolio_id is None else own_id("Portfolio", input.to_portfolio_id),
            input.amount,
            input.idempotency_key,
            input.notes,
        )
        return await TransactionPayload.load(info, id)
