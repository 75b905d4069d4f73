"""Serve the cheapest possible trade: a bare ASGI application and ONE hand-written statement over asyncpg.

The statement writes what recordTransaction writes for a BUY of today, with the same guards and the same
durability: idempotency key, cash, transaction, position, lot, audit. There is no authentication.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn

from db.ids import uuid7

TRADE = """
WITH claimed AS (
    INSERT INTO idempotency_keys (owner_id, key, field, arguments_hash, outcome)
    VALUES ($1, $2, 'recordTransaction', $3, jsonb_build_object('id', $4::uuid))
    ON CONFLICT DO NOTHING RETURNING key
), i AS (
    SELECT id, currency FROM instruments WHERE symbol = $6
), p AS (
    UPDATE portfolios SET cash_balance = cash_balance - round($7::numeric * $8::numeric, 10),
        snapshots_stale_from = least(snapshots_stale_from, (now() AT TIME ZONE a.time_zone)::date)
    FROM i, accounts a
    WHERE portfolios.owner_id = $1 AND portfolios.id = $5 AND portfolios.is_active
      AND portfolios.currency = i.currency AND a.owner_id = $1 AND a.id = portfolios.account_id
      AND cash_balance - reserved_cash >= round($7::numeric * $8::numeric, 10)
      AND EXISTS (SELECT FROM claimed)
    RETURNING portfolios.account_id, portfolios.currency, i.id AS instrument_id,
              round($7::numeric * $8::numeric, 10) AS amount
), t AS (
    INSERT INTO transactions (owner_id, id, account_id, portfolio_id, instrument_id, type, quantity, price,
                              amount, commission, currency, cash_delta, quantity_delta, cost_delta,
                              executed_at)
    SELECT $1, $4, account_id, $5, instrument_id, 'BUY', $7, $8, amount, 0, currency, -amount, $7, amount,
           now()
    FROM p
    RETURNING id, executed_at
), held AS (
    INSERT INTO positions (owner_id, id, portfolio_id, instrument_id, quantity, cost_basis, realized_pnl)
    SELECT $1, $9, $5, instrument_id, $7, amount, 0 FROM p
    ON CONFLICT (owner_id, portfolio_id, instrument_id) DO UPDATE
    SET quantity = positions.quantity + excluded.quantity,
        cost_basis = positions.cost_basis + excluded.cost_basis
), lot AS (
    INSERT INTO lots (owner_id, id, portfolio_id, instrument_id, transaction_id, opened_at,
                      remaining_quantity, remaining_cost)
    SELECT $1, $10, $5, p.instrument_id, t.id, t.executed_at, $7, p.amount FROM p, t
), noted AS (
    INSERT INTO audit_log (owner_id, id, action, entity_type, entity_id, details)
    SELECT $1, $11, 'transaction.recorded', 'Transaction', id,
           jsonb_build_object('type', 'BUY', 'symbol', $6::text) FROM t
)
SELECT id FROM t
"""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Limit:
    """The application. Every connection acts for the one owner of the benchmark."""

    def __init__(self, url: str, owner_id: str) -> None:
        self._url = url
        self._owner_id = owner_id
        self._pool: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Make one trade for a POST; answer a GET with readiness."""
        assert scope["type"] == "http"
        if self._pool is None:
            settings = {"role": "graphfolio_app", "jit": "off", "app.user_id": self._owner_id}
            self._pool = await asyncpg.create_pool(self._url, max_size=10, server_settings=settings)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = await self._trade(orjson.loads(body)) if body else {"ready": True}
        content = orjson.dumps(answer)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _trade(self, given: dict[str, Any]) -> dict[str, Any]:
        async with self._pool.acquire() as connection:
            id = await connection.fetchval(
                TRADE,
                UUID(self._owner_id),
                UUID(given["key"]),
                b"",
                uuid7(),
                UUID(given["portfolio"]),
                given["symbol"],
                Decimal(given["quantity"]),
                Decimal(given["price"]),
                uuid7(),
                uuid7(),
                uuid7(),
            )
        return {"id": None if id is None else str(id)}


if __name__ == "__main__":
    app = Limit(os.environ["LIMIT_URL"], sys.argv[2])
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", lifespan="off")
