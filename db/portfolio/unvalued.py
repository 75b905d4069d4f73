"""Reading what totals leave out: positions without a price, and accounts in another currency."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.portfolio.performance import ScopeKind
from db.portfolio.rows import LeftOutRow
from db.sessions import Connection

_POSITIONS = """
SELECT DISTINCT {scope} AS scope_id, v.instrument_id, i.symbol, i.currency
FROM portfolios p
JOIN position_values v ON v.owner_id = $1 AND v.portfolio_id = p.id AND v.quantity > 0 AND v.price IS NULL
JOIN instruments i ON i.id = v.instrument_id
WHERE p.owner_id = $1 AND {scope} = ANY($2::uuid[]){counted}
"""

# A user's sums include only what is in the user's own currency.
_COUNTED = " AND p.currency = (SELECT currency FROM users WHERE id = $1)"

_CURRENCIES = """
UNION ALL
SELECT DISTINCT a.owner_id, NULL::uuid, NULL, a.currency FROM accounts a JOIN users u ON u.id = $1
WHERE a.owner_id = $1 AND a.owner_id = ANY($2::uuid[]) AND a.currency <> u.currency
"""

_LEFT_OUT = {
    ScopeKind.PORTFOLIO: _POSITIONS.format(scope="p.id", counted=""),
    ScopeKind.ACCOUNT: _POSITIONS.format(scope="p.account_id", counted=""),
    ScopeKind.USER: _POSITIONS.format(scope="p.owner_id", counted=_COUNTED) + _CURRENCIES,
}


async def fetch_left_out(
    connection: Connection, owner_id: UUID, kind: ScopeKind, ids: Sequence[UUID]
) -> Sequence[LeftOutRow]:
    """Return the instruments that scopes hold without a price, by symbol, each with its currency.

    Rows without an instrument are last: a currency whose accounts are not in a user's sums.
    """
    return cast(
        "Sequence[LeftOutRow]", await connection.fetch(f"{_LEFT_OUT[kind]} ORDER BY 3, 4, 2", owner_id, ids)
    )
