"""What the database does by itself: times of change and views; and that nothing is loaded by accident."""

from decimal import Decimal

import pytest

from db.ids import uuid7
from db.models import Base
from tests.graph.stored import Stored

OWNER = uuid7()


@pytest.fixture(scope="module")
def stored(superuser_url: str) -> Stored:
    """One user with a small tree: 7 and 11 in cash, shares with a price and some without."""
    made = Stored(superuser_url)
    made.rows("INSERT INTO users (id, username, email, password_hash) VALUES ($1, 'user', 'e', '')", OWNER)
    made.instrument("AAA", "12.5000000001")
    made.instrument("BBB")
    made.tree(OWNER, 1, 2, ["AAA", "BBB"], 60)
    return made


def test_every_change_is_timed(stored: Stored) -> None:
    timed = {table.name for table in Base.metadata.sorted_tables if "updated_at" in table.columns}
    triggers = stored.rows(
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'touch_updated_at' AND tgenabled = 'O'"
    )
    assert {name for (name,) in triggers} == timed
    (before,) = stored.rows("SELECT created_at, updated_at FROM accounts WHERE owner_id = $1", OWNER)
    stored.rows("UPDATE accounts SET name = 'Other' WHERE owner_id = $1", OWNER)
    (after,) = stored.rows("SELECT created_at, updated_at FROM accounts WHERE owner_id = $1", OWNER)
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_the_views(stored: Stored) -> None:
    summaries = stored.rows(
        """SELECT cash_balance, market_value, total_value, cost_basis, unrealized_pnl, realized_pnl,
                  position_count, unpriced_position_count FROM portfolio_summary WHERE owner_id = $1""",
        OWNER,
    )
    value = Decimal("37.5000000003")
    assert summaries == [(11, value, value + 11, 60, Decimal("7.5000000003"), 0, 2, 1)] * 2
    (summary,) = stored.rows(
        """SELECT currency, account_count, other_currency_account_count, portfolio_count, position_count,
                  cash_balance, market_value, total_value FROM user_account_summary WHERE owner_id = $1""",
        OWNER,
    )
    assert summary == ("USD", 1, 0, 2, 4, 29, value * 2, value * 2 + 29)
    recent = stored.rows(
        "SELECT executed_at FROM recent_transactions WHERE owner_id = $1 ORDER BY executed_at DESC", OWNER
    )
    newest = stored.rows(
        "SELECT executed_at FROM transactions WHERE owner_id = $1 ORDER BY executed_at DESC LIMIT 50", OWNER
    )
    assert recent == newest


def test_nothing_loads_by_accident_for_there_are_no_relationships() -> None:
    assert [str(found) for mapper in Base.registry.mappers for found in mapper.relationships] == []
