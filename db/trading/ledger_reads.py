"""The facts that an entry or an order depends on, read by one statement each over a raw connection.

Their subject is locked before, by the transaction's first statements (`db.writing`): a statement that waits
for a lock would see the rest as it was before the wait. Every statement names the owner.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from db.market.splits import MARKET_TODAY
from db.market.symbols import MEANT_BY_ONE
from db.writing import RawConnection


class PortfolioState(Protocol):
    """The columns of a locked portfolio."""

    @property
    def portfolio_id(self) -> UUID: ...
    @property
    def account_id(self) -> UUID: ...
    @property
    def currency(self) -> str: ...
    @property
    def margin(self) -> bool: ...
    @property
    def cash_balance(self) -> Decimal: ...
    @property
    def reserved_cash(self) -> Decimal: ...
    @property
    def time_zone(self) -> str: ...


class HoldingState(Protocol):
    """The columns of a holding: its position, if there ever was one, and whether later entries exist.

    `is_overtaken` says that there are later entries that would have to be posted again, `is_before_split`
    that there is a split of the instrument that the entry may precede.
    """

    @property
    def held_quantity(self) -> Decimal | None: ...
    @property
    def held_reserved(self) -> Decimal | None: ...
    @property
    def held_cost(self) -> Decimal | None: ...
    @property
    def held_gain(self) -> Decimal | None: ...
    @property
    def held_gain_fifo(self) -> Decimal | None: ...
    @property
    def is_overtaken(self) -> bool: ...
    @property
    def is_before_split(self) -> bool: ...


PORTFOLIO = """p.id AS portfolio_id, p.account_id, p.currency, p.margin, p.cash_balance, p.reserved_cash,
    p.is_active, a.is_active AS account_is_active, a.time_zone"""
HELD = """h.quantity AS held_quantity, h.reserved_quantity AS held_reserved, h.cost_basis AS held_cost,
    h.realized_pnl AS held_gain, h.realized_pnl_fifo AS held_gain_fifo"""
KEY = "k.field AS key_field, k.arguments_hash AS key_hash, k.outcome AS key_outcome"

OVERTAKEN = """EXISTS (SELECT FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = {instrument}
        AND t.executed_at >= {since} AND t.type = ANY({types})) AS is_overtaken"""

MEANT_BY_SYMBOL = MEANT_BY_ONE.format(symbol="$4", owner="$1")
# Generous by a day on either side, for every time zone: `history.due_splits` checks precisely.
BEFORE_SPLIT = f"""EXISTS (SELECT FROM instrument_splits s
    WHERE s.instrument_id = {{instrument}} AND s.ex_date >= ({{since}} AT TIME ZONE 'UTC')::date - 1
        AND s.ex_date <= {MARKET_TODAY}) AS is_before_split"""


class EntryFacts(NamedTuple):
    """The facts for an entry of a portfolio; `is_followed` says that the portfolio has any later entry."""

    portfolio_id: UUID
    account_id: UUID
    currency: str
    margin: bool
    cash_balance: Decimal
    reserved_cash: Decimal
    is_active: bool
    account_is_active: bool
    time_zone: str
    held_quantity: Decimal | None
    held_reserved: Decimal | None
    held_cost: Decimal | None
    held_gain: Decimal | None
    held_gain_fifo: Decimal | None
    key_field: str | None
    key_hash: bytes | None
    key_outcome: dict[str, Any] | None
    instrument_id: UUID | None
    symbol: str | None
    instrument_currency: str | None
    price_basis: str | None
    is_overtaken: bool
    is_before_split: bool
    is_followed: bool


_FOR_ENTRY = f"""
SELECT {PORTFOLIO}, {HELD}, {KEY}, i.id AS instrument_id, i.symbol, i.currency AS instrument_currency,
    i.price_basis, {OVERTAKEN.format(instrument="i.id", since="$5", types="$6::text[]")},
    {BEFORE_SPLIT.format(instrument="i.id", since="$5")},
    EXISTS (SELECT FROM transactions t WHERE t.owner_id = $1 AND t.portfolio_id = p.id
        AND t.executed_at > $5) AS is_followed
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
LEFT JOIN {MEANT_BY_SYMBOL} i ON true
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = i.id
LEFT JOIN idempotency_keys k ON k.owner_id = $1 AND k.key = $3
WHERE p.owner_id = $1 AND p.id = $2
"""


async def for_entry(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    key: UUID,
    symbol: str | None,
    since: dt.datetime,
    overtaking: Collection[str],
) -> EntryFacts | None:
    """Return the locked portfolio, its holding of the instrument, and the present use of the key.

    `overtaking` are the types of the entries that would have to be posted again after one of that instant.
    """
    values = (owner_id, portfolio_id, key, symbol, since, list(overtaking))
    row = await connection.fetchrow(_FOR_ENTRY, *values)
    return None if row is None else EntryFacts(**row)


class TradeFacts(NamedTuple):
    """A holding of an instrument, and whether there are entries after an instant."""

    instrument_id: UUID
    held_quantity: Decimal | None
    held_reserved: Decimal | None
    held_cost: Decimal | None
    held_gain: Decimal | None
    held_gain_fifo: Decimal | None
    is_overtaken: bool
    is_before_split: bool


_FOR_TRADES = f"""
SELECT w.id AS instrument_id, {HELD},
    {OVERTAKEN.format(instrument="w.id", since="$4", types="$5::text[]")},
    {BEFORE_SPLIT.format(instrument="w.id", since="$4")}
FROM unnest($3::uuid[]) w(id)
JOIN portfolios p ON p.owner_id = $1 AND p.id = $2
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = $2 AND h.instrument_id = w.id
"""


async def for_trades(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_ids: Sequence[UUID],
    since: dt.datetime,
    overtaking: Collection[str],
) -> dict[UUID, TradeFacts]:
    """Return the locked portfolio's holding of each of these instruments."""
    values = (owner_id, portfolio_id, list(instrument_ids), since, list(overtaking))
    return {row["instrument_id"]: TradeFacts(**row) for row in await connection.fetch(_FOR_TRADES, *values)}


class AccountState(NamedTuple):
    """An account's unallotted cash."""

    id: UUID
    currency: str
    account_type: str
    unallotted_cash: Decimal
    time_zone: str
    is_active: bool


class PortfolioRow(NamedTuple):
    """A portfolio with its account's state and time zone."""

    portfolio_id: UUID
    account_id: UUID
    currency: str
    margin: bool
    cash_balance: Decimal
    reserved_cash: Decimal
    is_active: bool
    account_is_active: bool
    time_zone: str


class KeyState(NamedTuple):
    """The present use of an idempotency key; all None for a new one."""

    key_field: str | None
    key_hash: bytes | None
    key_outcome: dict[str, Any] | None


NEW_KEY = KeyState(None, None, None)

_KEY_ALONE = f"SELECT {KEY} FROM idempotency_keys k WHERE k.owner_id = $1 AND k.key = $2"


async def find_key(connection: RawConnection, owner_id: UUID, key: UUID) -> KeyState:
    """Return the present use of an idempotency key."""
    row = await connection.fetchrow(_KEY_ALONE, owner_id, key)
    return NEW_KEY if row is None else KeyState(**row)


class CashFacts(NamedTuple):
    """The facts for moving cash: the account, those of the portfolios that exist, and the key."""

    account: AccountState | None
    portfolios: dict[UUID, PortfolioRow]
    key_field: str | None
    key_hash: bytes | None
    key_outcome: dict[str, Any] | None


_FOR_CASH = f"""
SELECT {KEY}, a.id AS of_id, a.currency AS of_currency, a.account_type AS of_account_type,
    a.unallotted_cash AS of_unallotted_cash, a.time_zone AS of_time_zone, a.is_active AS of_is_active,
    p.id AS portfolio_id, p.account_id, p.currency, p.margin, p.cash_balance, p.reserved_cash, p.is_active,
    a.is_active AS account_is_active, a.time_zone
FROM (VALUES (1)) one
LEFT JOIN idempotency_keys k ON k.owner_id = $1 AND k.key = $4
LEFT JOIN accounts a ON a.owner_id = $1 AND a.id = $2
LEFT JOIN portfolios p ON p.owner_id = $1 AND p.id = ANY($3::uuid[]) AND p.account_id = a.id
"""


async def for_cash(
    connection: RawConnection, owner_id: UUID, account_id: UUID, portfolio_ids: Collection[UUID], key: UUID
) -> CashFacts:
    """Return the account and those of these portfolios that are its own, all of them locked, and the key."""
    rows = await connection.fetch(_FOR_CASH, owner_id, account_id, list(portfolio_ids), key)
    first = rows[0]
    account = None
    if first["of_id"] is not None:
        account = AccountState(*(first[f"of_{name}"] for name in AccountState._fields))
    portfolios = {
        row["portfolio_id"]: PortfolioRow(*(row[name] for name in PortfolioRow._fields))
        for row in rows
        if row["portfolio_id"] is not None
    }
    return CashFacts(account, portfolios, first["key_field"], first["key_hash"], first["key_outcome"])


_PORTFOLIOS = f"""
SELECT {PORTFOLIO} FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
WHERE p.owner_id = $1 AND p.id = ANY($2::uuid[])
"""


async def find_portfolios(
    connection: RawConnection, owner_id: UUID, portfolio_ids: Collection[UUID]
) -> dict[UUID, PortfolioRow]:
    """Return those of these portfolios that exist."""
    rows = await connection.fetch(_PORTFOLIOS, owner_id, list(portfolio_ids))
    return {row["portfolio_id"]: PortfolioRow(**row) for row in rows}


_ACCOUNTS = """
SELECT id, currency, account_type, unallotted_cash, time_zone, is_active FROM accounts
WHERE owner_id = $1 AND id = ANY($2::uuid[])
"""


async def find_accounts(
    connection: RawConnection, owner_id: UUID, account_ids: Collection[UUID]
) -> dict[UUID, AccountState]:
    """Return those of these accounts that exist."""
    rows = await connection.fetch(_ACCOUNTS, owner_id, list(account_ids))
    return {row["id"]: AccountState(**row) for row in rows}


class InstrumentRow(NamedTuple):
    """An instrument with the columns that the ledger needs."""

    id: UUID
    symbol: str
    currency: str
    price_basis: str | None


_INSTRUMENT = f"""
SELECT i.id, i.symbol, i.currency, i.price_basis
FROM (VALUES (1)) one JOIN {MEANT_BY_ONE.format(symbol="$2", owner="$1")} i ON true
"""


async def find_instrument(connection: RawConnection, owner_id: UUID, symbol: str) -> InstrumentRow | None:
    """Return the instrument that the symbol means to the owner."""
    row = await connection.fetchrow(_INSTRUMENT, owner_id, symbol)
    return None if row is None else InstrumentRow(**row)


class LowestCash(NamedTuple):
    """The lowest cash balance from an instant on, and its time."""

    executed_at: dt.datetime
    balance: Decimal


# Counted back from today's balance, so that only later entries are read. A reversed entry and its reversal
# are left out: there is no day on which only one of them counts.
_LOWEST_CASH = """
WITH later AS (
    SELECT executed_at, id, cash_delta, sum(cash_delta) OVER (ORDER BY executed_at DESC, id DESC) AS since
    FROM transactions t
    WHERE owner_id = $1 AND account_id = $2 AND portfolio_id {portfolio} AND executed_at > $3
        AND reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
), balances AS (
    SELECT executed_at, ({now}) - since + cash_delta AS balance FROM later
    UNION ALL
    SELECT $3, ({now}) - coalesce((SELECT sum(cash_delta) FROM later), 0)
)
SELECT executed_at, balance FROM balances ORDER BY balance, executed_at LIMIT 1
"""
_LOWEST_OF_PORTFOLIO = _LOWEST_CASH.format(
    portfolio="= $4", now="SELECT cash_balance FROM portfolios WHERE owner_id = $1 AND id = $4"
)
_LOWEST_OF_ACCOUNT = _LOWEST_CASH.format(
    portfolio="IS NULL", now="SELECT unallotted_cash FROM accounts WHERE owner_id = $1 AND id = $2"
)


async def lowest_cash_since(
    connection: RawConnection, owner_id: UUID, account_id: UUID, portfolio_id: UUID | None, since: dt.datetime
) -> LowestCash:
    """Return the lowest cash balance from then on of a portfolio, or of the account's unallotted cash."""
    values = (owner_id, account_id, since)
    if portfolio_id is None:
        row = await connection.fetchrow(_LOWEST_OF_ACCOUNT, *values)
    else:
        row = await connection.fetchrow(_LOWEST_OF_PORTFOLIO, *values, portfolio_id)
    assert row is not None, "there is always a balance"
    return LowestCash(**row)
