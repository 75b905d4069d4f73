"""Fill an empty database by COPY, as a plan says, with ledgers that `graphfolio verify` accepts.

Everything is bought once or several times and never sold, at whole cents, and each purchase is a lot. The
triggers and constraints of the schema are in force meanwhile.
"""

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg

from bench.trees.plan import InstrumentPlan, Plan, UserPlan, instruments

BEGIN = dt.datetime(2022, 1, 3, 15, tzinfo=dt.UTC)
DEPOSIT = 1_000_000_00
PAGE = 5_000

COLUMNS = {
    "instruments": "id symbol name asset_class currency",
    "quotes": "instrument_id price as_of previous_price",
    "users": "id username email password_hash",
    "logins": "identifier user_id",
    "refresh_tokens": "owner_id id family_id token_hash expires_at",
    "accounts": "owner_id id name broker account_type currency initial_balance unallotted_cash",
    "portfolios": "owner_id id account_id name currency margin strategy risk_tolerance max_position_size "
    "rebalance_frequency cash_balance",
    "positions": "owner_id id portfolio_id instrument_id quantity cost_basis realized_pnl",
    "transactions": "owner_id id account_id portfolio_id instrument_id type quantity price amount commission "
    "currency cash_delta quantity_delta cost_delta executed_at",
    "lots": "owner_id id portfolio_id instrument_id transaction_id opened_at remaining_quantity "
    "remaining_cost",
}
"""What is written of each table, in an order in which each row finds what it refers to."""

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]


class Ids:
    """UUIDs of version 7, the same ones each time, each greater than the one before."""

    def __init__(self) -> None:
        self._made = 0
        self._chance = random.Random(7)

    def __call__(self) -> UUID:
        """Return the next id."""
        self._made += 1
        milliseconds, rest = divmod(self._made, 1 << 12)
        stamp = 0x018000000000 + milliseconds
        return UUID(int=stamp << 80 | 7 << 76 | rest << 64 | 2 << 62 | self._chance.getrandbits(62))


async def seed(url: str, plan: Plan, told: Callable[[str], None]) -> None:
    """Write every row and let PostgreSQL look at them; `url` is a superuser's."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            ids = Ids()
            held = [(ids(), instrument) for instrument in instruments()]
            await _copy(connection, _market(held))
            users = iter(plan.users)
            done = 0
            while some := list(islice(users, 20)):
                await _copy(connection, merged(seed_rows(ids, user, held) for user in some))
                done += len(some)
                told(f"{done} users")
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def merged(parts: Iterable[Rows]) -> Rows:
    """Return the rows of several parts, by table."""
    rows: Rows = {}
    for part in parts:
        for table, some in part.items():
            rows.setdefault(table, []).extend(some)
    return rows


async def _copy(connection: Any, rows: Rows) -> None:
    for table, columns in COLUMNS.items():
        if rows.get(table):
            await connection.copy_to_table(table, source=_lines(rows[table]), columns=columns.split())


async def _lines(rows: list[Row]) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), PAGE):
        lines = ("\t".join(map(_text, row)) for row in rows[start : start + PAGE])
        yield ("\n".join(lines) + "\n").encode()


def _text(value: Any) -> str:
    return r"\N" if value is None else str(value)


def cents(value: int) -> str:
    """Return hundredths as a decimal."""
    return f"{value // 100}.{value % 100:02}"


def _market(held: list[tuple[UUID, InstrumentPlan]]) -> Rows:
    now = BEGIN + dt.timedelta(days=1_000)
    return {
        "instruments": [(id, i.symbol, f"{i.symbol} Incorporated", "EQUITY", "USD") for id, i in held],
        "quotes": [(id, cents(i.price), now, cents(i.price - 1)) for id, i in held if i.is_quoted],
    }


def seed_rows(ids: Ids, user: UserPlan, held: list[tuple[UUID, InstrumentPlan]]) -> Rows:
    """Return all rows of a user."""
    owner, login = ids(), ids()
    rows: Rows = {table: [] for table in COLUMNS}
    rows["users"].append((owner, user.name, f"{user.name}@example.com", ""))
    rows["logins"] += [(user.name, owner), (f"{user.name}@example.com", owner)]
    expires = BEGIN + dt.timedelta(days=36_500)
    rows["refresh_tokens"].append((owner, login, login, rf"\\x{login.hex}", expires))
    chance = random.Random(user.name)
    for number, portfolios in enumerate(user.portfolios):
        account, balance = ids(), cents(100_000 + number)
        names = f"Account {number + 1}", "PAPER", "CASH", "USD"
        rows["accounts"].append((owner, account, *names, balance, balance))
        where = (owner, account, None)
        rows["transactions"].append(_deposit(ids(), where, balance, BEGIN))
        for which in range(portfolios):
            for table, some in _portfolio(ids, user, (owner, account), which, held, chance).items():
                rows[table] += some
    return rows


def _deposit(id: UUID, where: tuple[UUID, UUID, UUID | None], amount: str, at: dt.datetime) -> Row:
    owner, account, portfolio = where
    deltas = (amount, 0, 0)
    return (owner, id, account, portfolio, None, "DEPOSIT", None, None, amount, 0, "USD", *deltas, at)


def _portfolio(
    ids: Ids,
    user: UserPlan,
    where: tuple[UUID, UUID],
    number: int,
    held: list[tuple[UUID, InstrumentPlan]],
    chance: random.Random,
) -> Rows:
    """Return a portfolio with its positions, its transactions and their lots."""
    owner, account = where
    portfolio = ids()
    funds = DEPOSIT * max(1, user.entries // 50)
    entries, lots = [_deposit(ids(), (*where, portfolio), cents(funds), BEGIN)], []
    shares: dict[UUID, list[int]] = {}
    chosen = chance.sample(held, user.positions)
    for at, (instrument, plan), is_dividend in _entries(user, chosen):
        id, quantity = ids(), chance.randint(1, 20)
        price = max(1, plan.price * chance.randint(60, 110) // 100)
        named = (owner, id, account, portfolio, instrument)
        if is_dividend:
            paid = cents(price)
            entries.append((*named, "DIVIDEND", None, None, paid, 0, "USD", paid, 0, 0, at))
            funds += price
            continue
        amount, fee = quantity * price, 100 if quantity > 15 else 0
        cost = cents(amount + fee)
        figures = (quantity, cents(price), cents(amount), cents(fee), "USD", f"-{cost}", quantity, cost, at)
        entries.append((*named, "BUY", *figures))
        lots.append((owner, ids(), portfolio, instrument, id, at, quantity, cost))
        sums = shares.setdefault(instrument, [0, 0])
        sums[0] += quantity
        sums[1] += amount + fee
        funds -= amount + fee
    name = f"Portfolio {number + 1}"
    settings = ("USD", "f", "NONE", "0.5", "1", "MONTHLY", cents(funds))
    return {
        "portfolios": [(owner, portfolio, account, name, *settings)],
        "transactions": entries,
        "positions": [(owner, ids(), portfolio, i, n, cents(cost), 0) for i, (n, cost) in shares.items()],
        "lots": lots,
    }


def _entries(
    user: UserPlan, chosen: list[tuple[UUID, InstrumentPlan]]
) -> Iterator[tuple[dt.datetime, tuple[UUID, InstrumentPlan], bool]]:
    """Yield the time and the instrument of each purchase and dividend: first each is bought once."""
    step = dt.timedelta(days=900) / user.entries
    for number in range(user.entries - 1):
        again = number - len(chosen)
        yield BEGIN + step * (number + 1), chosen[number % len(chosen)], again >= 0 and again % 3 == 0
