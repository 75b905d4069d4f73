"""What tests put into the database by SQL: the market, and trees too wide to make through the API."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from db.ids import uuid7
from graph.ids import parse_global_id

AS_OF = dt.datetime(2024, 5, 31, 20, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Stored:
    """The module's database for the superuser, whom no policy holds."""

    url: str

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows of a statement."""

        async def fetch() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.url)
            try:
                return [tuple(row) for row in await connection.fetch(query, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def run(self, *statements: str) -> None:
        """Runs statements one by one."""

        async def execute() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(execute())

    def value(self, query: str, *arguments: object) -> Any:
        """The one value of the one row of a statement."""
        ((found,),) = self.rows(query, *arguments)
        return found

    def instrument(self, symbol: str, price: str | None = None, *, currency: str = "USD") -> UUID:
        """An instrument that is there from now on, with this price, or with none."""
        id = self.value(
            """INSERT INTO instruments (id, symbol, name, asset_class, currency, exchange)
               VALUES ($1, $2, $3, 'EQUITY', $4, 'TEST')
               ON CONFLICT (symbol, owner_id) DO UPDATE SET currency = $4 RETURNING id""",
            uuid7(),
            symbol,
            f"{symbol} Incorporated",
            currency,
        )
        self.rows("DELETE FROM quotes WHERE instrument_id = $1", id)
        if price is not None:
            statement = "INSERT INTO quotes (instrument_id, price, as_of) VALUES ($1, $2::text::numeric, $3)"
            self.rows(statement, id, price, AS_OF)
        return UUID(str(id))

    def bars(self, symbol: str, start: dt.date, closes: Sequence[str]) -> None:
        """Daily bars from a day on, weekends included."""
        self.rows(
            """INSERT INTO price_bars (instrument_id, date, close)
               SELECT i.id, $2::date + (c.day - 1)::int, c.close::numeric
               FROM instruments i, unnest($3::text[]) WITH ORDINALITY AS c(close, day) WHERE i.symbol = $1""",
            symbol,
            start,
            list(closes),
        )

    def tree(self, owner: UUID, accounts: int, portfolios: int, symbols: Sequence[str], entries: int) -> None:
        """Accounts, the portfolios of each, a position in every symbol and entries of the ledger in each."""
        self.rows(
            """
            WITH a AS (
                INSERT INTO accounts (owner_id, id, name, broker, account_type, currency, initial_balance,
                                      unallotted_cash)
                SELECT $1, gen_random_uuid(), 'Account ' || n, 'PAPER', 'CASH', 'USD', 0, 7
                FROM generate_series(1, $2) n
                RETURNING id
            ), p AS (
                INSERT INTO portfolios (owner_id, id, account_id, name, currency, margin, strategy,
                                        risk_tolerance, max_position_size, rebalance_frequency, cash_balance)
                SELECT $1, gen_random_uuid(), a.id, 'Portfolio ' || n, 'USD', false, 'EQUAL_WEIGHT', 0.5, 1,
                       'MONTHLY', 11
                FROM a, generate_series(1, $3) n
                RETURNING id, account_id
            ), held AS (
                INSERT INTO positions (owner_id, id, portfolio_id, instrument_id, quantity, cost_basis,
                                       realized_pnl)
                SELECT $1, gen_random_uuid(), p.id, i.id, 3, 30, 0
                FROM p, instruments i WHERE i.symbol = ANY($4)
            )
            INSERT INTO transactions (owner_id, id, account_id, portfolio_id, type, amount, commission,
                                      currency, cash_delta, quantity_delta, executed_at)
            SELECT $1, gen_random_uuid(), p.account_id, p.id, 'INTEREST', 1, 0, 'USD', 1, 0,
                   $6::timestamptz - n * interval '1 hour'
            FROM p, generate_series(1, $5) n
            """,
            owner,
            accounts,
            portfolios,
            list(symbols),
            entries,
            AS_OF,
        )


def row_id(global_id: str) -> UUID:
    """The row behind a global id."""
    return parse_global_id(global_id)[1]
