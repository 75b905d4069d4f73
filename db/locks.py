"""The locks that a transaction over a plain connection begins with: prepared, see `db.writing`."""

from uuid import UUID

from db.writing import Lock

PREPARE = """
PREPARE lock_portfolio (uuid, uuid) AS
    SELECT FROM portfolios WHERE owner_id = $1 AND id = $2 FOR NO KEY UPDATE;
PREPARE lock_portfolio_of_order (uuid, uuid) AS
    SELECT FROM portfolios WHERE owner_id = $1
        AND id = (SELECT portfolio_id FROM orders WHERE owner_id = $1 AND id = $2) FOR NO KEY UPDATE
"""


def lock_portfolio(owner_id: UUID, portfolio_id: UUID) -> Lock:
    """Holds the portfolio until the transaction ends."""
    return Lock("lock_portfolio", owner_id, portfolio_id)


def lock_portfolio_of_order(owner_id: UUID, order_id: UUID) -> Lock:
    """Holds the portfolio of an order, which never changes, until the transaction ends.

    Whoever changes an order has locked its portfolio.
    """
    return Lock("lock_portfolio_of_order", owner_id, order_id)
