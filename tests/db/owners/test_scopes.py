"""What counts as naming the owner, shown by statements that do and by the same ones that do not."""

from __future__ import annotations

import pytest

from tests.db.owners.scopes import unowned

OWNERS = {"accounts": "owner_id", "portfolios": "owner_id", "users": "id"}

NAMED = (
    "SELECT name FROM accounts WHERE owner_id = $1 AND id = $2",
    "SELECT name FROM accounts WHERE (owner_id, id) = ($1, $2)",
    "SELECT u.email FROM users u WHERE u.id = $1::uuid",
    "SELECT p.name FROM portfolios p JOIN accounts a ON a.owner_id = p.owner_id AND a.id = p.account_id "
    "WHERE p.owner_id = $1",
    "SELECT p.name FROM portfolios p JOIN accounts a USING (owner_id, id) WHERE p.owner_id = $1",
    "SELECT (SELECT count(*) FROM portfolios p WHERE p.owner_id = $1 AND p.account_id = a.id) "
    "FROM accounts a WHERE a.owner_id = $1",
    "UPDATE portfolios p SET name = a.name FROM accounts a WHERE p.owner_id = $1 AND a.owner_id = $1",
    "DELETE FROM portfolios WHERE owner_id = $1",
    "INSERT INTO accounts (owner_id, id) VALUES ($1, $2)",
    "WITH accounts AS (SELECT 1 AS n) SELECT n FROM accounts",
    "SELECT id FROM instruments WHERE symbol = $1 AND (owner_id IS NULL OR owner_id = $2)",
    "SELECT close FROM price_bars",
)

NAMELESS = {
    "SELECT name FROM accounts WHERE id = $1": ["accounts (accounts)"],
    "SELECT name FROM accounts WHERE owner_id = $1 OR id = $2": ["accounts (accounts)"],
    "SELECT name FROM accounts WHERE owner_id <> $1": ["accounts (accounts)"],
    "SELECT u.email FROM users u": ["users (u)"],
    "SELECT p.name FROM portfolios p JOIN accounts a ON a.id = p.account_id WHERE p.owner_id = $1": [
        "accounts (a)"
    ],
    "SELECT p.name FROM portfolios p JOIN accounts a ON a.owner_id = p.owner_id": [
        "portfolios (p)",
        "accounts (a)",
    ],
    # A level that is only correlated.
    "SELECT (SELECT count(*) FROM portfolios p WHERE p.owner_id = a.owner_id AND p.account_id = a.id) "
    "FROM accounts a WHERE a.owner_id = $1": ["portfolios (p)"],
    "UPDATE portfolios p SET name = a.name FROM accounts a WHERE p.owner_id = $1 AND a.id = p.id": [
        "accounts (a)"
    ],
    "DELETE FROM portfolios WHERE id = $1": ["portfolios (portfolios)"],
    "INSERT INTO accounts (id) VALUES ($1)": ["accounts (inserted)"],
    "INSERT INTO accounts (owner_id, id) SELECT owner_id, id FROM portfolios": ["portfolios (portfolios)"],
    "WITH a AS (SELECT id FROM accounts) SELECT id FROM a": ["accounts (accounts)"],
    "SELECT id FROM accounts WHERE owner_id = $1 UNION SELECT id FROM portfolios": [
        "portfolios (portfolios)"
    ],
    "SELECT id FROM instruments WHERE symbol = $1": ["instruments (by symbol)"],
}


@pytest.mark.parametrize("sql", NAMED)
def test_the_owner_is_named(sql: str) -> None:
    assert unowned(sql, OWNERS) == []


@pytest.mark.parametrize("sql", NAMELESS)
def test_the_owner_is_missing(sql: str) -> None:
    assert unowned(sql, OWNERS) == NAMELESS[sql]
