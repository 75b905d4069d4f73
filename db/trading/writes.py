"""Writing the ledger: locks, projections and the transactions themselves.

Everything runs in the caller's transaction. Locks are taken from the top of the tree down and by id, the
account before its portfolios, so that two writers never wait for each other.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Numeric, RowMapping, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.ext.asyncio import AsyncSession

from db.account.days import day_of
from db.market.symbols import meant
from db.models import Account, Instrument, Portfolio, Position, Transaction
from db.sessions import announce
from db.vocabulary import Topic


async def lock_account(session: AsyncSession, owner_id: UUID, account_id: UUID) -> RowMapping | None:
    """The account's row, held until the transaction ends."""
    statement = select(
        Account.id,
        Account.currency,
        Account.account_type,
        Account.unallotted_cash,
        Account.time_zone,
        Account.is_active,
    ).where(Account.owner_id == owner_id, Account.id == account_id)
    return (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none()


async def lock_portfolio(session: AsyncSession, owner_id: UUID, portfolio_id: UUID) -> RowMapping | None:
    """Return the portfolio's row, held until the transaction ends, with its account's state and time zone."""
    its_account = (Account.owner_id == owner_id, Account.id == Portfolio.account_id)
    statement = select(
        Portfolio.id,
        Portfolio.account_id,
        Portfolio.currency,
        Portfolio.margin,
        Portfolio.cash_balance,
        Portfolio.reserved_cash,
        Portfolio.is_active,
        select(Account.is_active).where(*its_account).scalar_subquery().label("account_is_active"),
        select(Account.time_zone).where(*its_account).scalar_subquery().label("time_zone"),
    ).where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    return (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none()


async def find_instrument(session: AsyncSession, owner_id: UUID, symbol: str) -> RowMapping | None:
    """Return the instrument that the symbol means to the owner."""
    statement = meant(owner_id, [symbol]).with_only_columns(
        Instrument.id, Instrument.symbol, Instrument.currency, Instrument.price_basis
    )
    return (await session.execute(statement)).mappings().one_or_none()


async def find_position(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> RowMapping | None:
    """The position, whose portfolio the caller has locked."""
    statement = select(
        Position.id,
        Position.quantity,
        Position.reserved_quantity,
        Position.cost_basis,
        Position.realized_pnl,
    )
    found = await session.execute(
        statement.where(
            Position.owner_id == owner_id,
            Position.portfolio_id == portfolio_id,
            Position.instrument_id == instrument_id,
        )
    )
    return found.mappings().one_or_none()


async def insert_transaction(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Adds one transaction. The ledger only ever grows."""
    await session.execute(insert(Transaction).values(**values))


# The time zone is read here and not before: whoever changes it holds the portfolio until that is committed,
# and this statement sees what is committed. The lesser of both marks, or the one that there is.
_MOVE_CASH = text(f"""
UPDATE portfolios p SET cash_balance = p.cash_balance + :delta,
    snapshots_stale_from = least(p.snapshots_stale_from, {day_of(":since", "a.time_zone")})
FROM accounts a
WHERE p.owner_id = :owner AND p.id = :portfolio AND a.owner_id = :owner AND a.id = p.account_id
""").bindparams(bindparam("since", type_=TIMESTAMP(timezone=True)), bindparam("delta", type_=Numeric(28, 10)))


async def add_portfolio_cash(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, delta: Decimal, since: dt.datetime
) -> None:
    """Move the portfolio's cash, and mark its snapshots as stale from the account's day of that instant on.

    The row is locked and the rule has agreed. Every posting comes here, also where no cash moves, and is
    announced with it.
    """
    announce(session, owner_id, Topic.PORTFOLIOS)
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "delta": delta, "since": since}
    await session.execute(_MOVE_CASH, parameters)


_MARK_SPLITS = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, s.first)
FROM (SELECT t.portfolio_id, min({day_of("t.executed_at", "a.time_zone")}) AS first
      FROM transactions t JOIN accounts a ON a.owner_id = :owner AND a.id = t.account_id
      WHERE t.owner_id = :owner AND t.id = ANY(:ids) GROUP BY 1) s
WHERE p.owner_id = :owner AND p.id = s.portfolio_id
"""


async def mark_splits(session: AsyncSession, owner_id: UUID, split_ids: Sequence[UUID]) -> None:
    """Marks snapshots as stale from splits on that make another number of shares now, in any portfolio."""
    if split_ids:
        statement = text(_MARK_SPLITS).bindparams(bindparam("ids", type_=ARRAY(PgUUID(as_uuid=True))))
        await session.execute(statement, {"owner": owner_id, "ids": list(split_ids)})


async def add_account_cash(session: AsyncSession, owner_id: UUID, account_id: UUID, delta: Decimal) -> None:
    """Moves the account's unallotted cash; the row is locked and the rule has agreed."""
    await session.execute(
        update(Account)
        .where(Account.owner_id == owner_id, Account.id == account_id)
        .values(unallotted_cash=Account.unallotted_cash + delta)
    )


# Counted back from the balance of today, so that only what is later is read. A reversed entry and its
# reversal are left out: they have no day on which only one of them counts.
LOWEST_CASH = """
WITH later AS (
    SELECT executed_at, id, cash_delta, sum(cash_delta) OVER (ORDER BY executed_at DESC, id DESC) AS since
    FROM transactions t
    WHERE owner_id = :owner AND account_id = :account AND portfolio_id {portfolio} AND executed_at > :since
        AND reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
), balances AS (
    SELECT executed_at, ({now}) - since + cash_delta AS balance FROM later
    UNION ALL
    SELECT :since, ({now}) - coalesce((SELECT sum(cash_delta) FROM later), 0)
)
SELECT executed_at, balance FROM balances ORDER BY balance, executed_at LIMIT 1
"""


async def lowest_cash_since(
    session: AsyncSession, owner_id: UUID, account_id: UUID, portfolio_id: UUID | None, since: dt.datetime
) -> RowMapping:
    """The lowest cash balance from then on and when that was; today's balance is written already."""
    parameters = {"owner": owner_id, "account": account_id, "since": since}
    if portfolio_id is None:
        now = "SELECT unallotted_cash FROM accounts WHERE owner_id = :owner AND id = :account"
        sql = LOWEST_CASH.format(portfolio="IS NULL", now=now)
    else:
        now = "SELECT cash_balance FROM portfolios WHERE owner_id = :owner AND id = :portfolio"
        sql = LOWEST_CASH.format(portfolio="= :portfolio", now=now)
        parameters["portfolio"] = portfolio_id
    statement = text(sql).bindparams(bindparam("since", type_=TIMESTAMP(timezone=True)))
    return (await session.execute(statement, parameters)).mappings().one()


async def find_transaction(session: AsyncSession, owner_id: UUID, id: UUID) -> RowMapping | None:
    """All of a transaction, which never changes but for what follows from others."""
    statement = select(Transaction.__table__)
    found = await session.execute(statement.where(Transaction.owner_id == owner_id, Transaction.id == id))
    return found.mappings().one_or_none()


async def find_transfer(session: AsyncSession, owner_id: UUID, transfer_id: UUID) -> Sequence[RowMapping]:
    """Both sides of a transfer between one's own places, the outgoing one first."""
    statement = select(Transaction.__table__).where(
        Transaction.owner_id == owner_id,
        Transaction.transfer_id == transfer_id,
        Transaction.reverses_id.is_(None),
    )
    return (await session.execute(statement.order_by(Transaction.id))).mappings().all()


async def is_reversed(session: AsyncSession, owner_id: UUID, id: UUID) -> bool:
    """Whether a transaction has been reversed."""
    statement = select(Transaction.id).where(Transaction.owner_id == owner_id, Transaction.reverses_id == id)
    return (await session.execute(statement)).first() is not None
