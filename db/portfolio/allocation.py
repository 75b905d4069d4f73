"""Reading the parts of an allocation: every position and all cash of a scope, and target weights."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.portfolio.performance import ScopeKind
from db.portfolio.rows import AllocatedPartRow, TargetWeightRow
from db.sessions import Connection

_HELD = """
SELECT {portfolio} AS scope_id, p.account_id, a.name AS account, p.id AS portfolio_id, p.name AS portfolio,
       p.currency, t.id AS position_id, i.symbol, i.asset_class,
       t.market_value AS value
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN position_values t ON t.owner_id = $1 AND t.portfolio_id = p.id AND t.quantity > 0
JOIN instruments i ON i.id = t.instrument_id
WHERE p.owner_id = $1 AND {portfolio} = ANY($2::uuid[])
UNION ALL
SELECT {portfolio}, p.account_id, a.name, p.id, p.name, p.currency, NULL, NULL, NULL, p.cash_balance
FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
WHERE p.owner_id = $1 AND {portfolio} = ANY($2::uuid[])
"""

_UNALLOTTED = """
UNION ALL
SELECT {account}, a.id, a.name, NULL, NULL, a.currency, NULL, NULL, NULL, a.unallotted_cash
FROM accounts a WHERE a.owner_id = $1 AND {account} = ANY($2::uuid[])
"""

_PARTS = {
    ScopeKind.PORTFOLIO: _HELD.format(portfolio="p.id"),
    ScopeKind.ACCOUNT: (_HELD + _UNALLOTTED).format(portfolio="p.account_id", account="a.id"),
    ScopeKind.USER: (_HELD + _UNALLOTTED).format(portfolio="p.owner_id", account="a.owner_id"),
}

# A rebalance from before a renaming has the symbol of that time.
_TARGETS = """
SELECT p.id AS portfolio_id, p.cash_reserve, t.source,
       coalesce(i.symbol, w.symbol) AS symbol, i.asset_class, w.weight
FROM portfolios p
LEFT JOIN LATERAL (
    SELECT target_weights FROM rebalance_history
    WHERE owner_id = $1 AND portfolio_id = p.id AND strategy = p.strategy AND target_weights IS NOT NULL
          AND p.strategy <> 'CUSTOM'
    ORDER BY id DESC LIMIT 1
) r ON true
CROSS JOIN LATERAL (
    SELECT 'OWNER' AS source, p.target_weights AS weights WHERE p.strategy = 'CUSTOM'
    UNION ALL
    SELECT 'LAST_REBALANCE', r.target_weights WHERE p.strategy <> 'CUSTOM'
) t
LEFT JOIN LATERAL (SELECT key AS symbol, value AS weight FROM jsonb_each_text(t.weights)) w ON true
LEFT JOIN LATERAL (
    SELECT symbol, asset_class FROM instruments
    WHERE (symbol = w.symbol OR w.symbol = ANY(former_symbols)) AND (owner_id IS NULL OR owner_id = $1)
    ORDER BY symbol = w.symbol DESC, owner_id LIMIT 1
) i ON true
WHERE p.owner_id = $1 AND p.id = ANY($2::uuid[]) AND t.weights IS NOT NULL
ORDER BY 1, 4
"""


async def fetch_parts(
    connection: Connection, owner_id: UUID, kind: ScopeKind, ids: Sequence[UUID]
) -> Sequence[AllocatedPartRow]:
    """Return every position of the scopes with its market value, null without a price, and all their cash.

    A row without a position is cash, one without a portfolio is unallotted cash.
    """
    return cast("Sequence[AllocatedPartRow]", await connection.fetch(_PARTS[kind], owner_id, ids))


async def fetch_target_weights(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> Sequence[TargetWeightRow]:
    """Return the target weights of each portfolio that has any, by symbol; one row without a symbol if empty.

    Those of CUSTOM are set by the owner, the others are those of the last rebalance by their strategy.
    """
    return cast("Sequence[TargetWeightRow]", await connection.fetch(_TARGETS, owner_id, portfolio_ids))
