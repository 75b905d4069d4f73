"""The demo as it is stored: the same figures on every machine, and none that contradicts another."""

import datetime as dt
import time
from decimal import Decimal

import pytest

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.demo.service import DemoOutcome, set_up_demo
from tests.investing.demo.consistency import CONTRADICTIONS
from tests.market_rows import rows

D = Decimal
TABLES = (
    "accounts",
    "portfolios",
    "transactions",
    "positions",
    "lots",
    "performance_history",
    "watchlists",
    "watchlist_items",
    "audit_log",
)


def test_exactly_so_many_transactions(superuser_url: str) -> None:
    query = "SELECT u.username, count(*) FROM transactions t JOIN users u ON u.id = t.owner_id GROUP BY 1"
    assert dict(rows(superuser_url, query)) == {"demo": 9080, "other": 316}
    query = """
        SELECT t.type, count(*) FROM transactions t JOIN users u ON u.id = t.owner_id
        WHERE u.username = 'demo' GROUP BY 1
    """
    assert dict(rows(superuser_url, query)) == {
        "BUY": 5499,
        "DEPOSIT": 702,
        "DIVIDEND": 92,
        "FEE": 56,
        "INTEREST": 232,
        "SELL": 342,
        "SPLIT": 3,
        "TAX": 92,
        "TRANSFER_IN": 1017,
        "TRANSFER_OUT": 1017,
        "WITHDRAWAL": 28,
    }


def test_accounts_and_portfolios(superuser_url: str) -> None:
    query = """
        SELECT a.name, a.account_type, a.unallotted_cash, p.name, p.strategy, p.cash_balance, p.margin
        FROM accounts a JOIN portfolios p ON p.account_id = a.id JOIN users u ON u.id = a.owner_id
        WHERE u.username = 'demo' ORDER BY a.id, p.id
    """
    brokerage = ("Brokerage", "CASH", D("5771.82"))
    retirement = ("Retirement", "RETIREMENT", D("3111.78"))
    margin = ("Margin", "MARGIN", D("11039.79"))
    assert rows(superuser_url, query) == [
        (*brokerage, "Blue-chip growth", "MAX_SHARPE", D("1500.0548166"), False),
        (*brokerage, "Core, equally weighted", "EQUAL_WEIGHT", D("1215.8354366"), False),
        (*retirement, "Quiet income", "MIN_VARIANCE", D("610.2403749"), False),
        (*retirement, "Balanced risk", "RISK_PARITY", D("813.322515"), False),
        (*margin, "Technology, 2000 to 2013", "CUSTOM", D("2832.27098447"), True),
        (*margin, "Sector clusters", "HIERARCHICAL_RISK_PARITY", D("2524.5037969"), True),
    ]


@pytest.mark.parametrize("rule", CONTRADICTIONS)
def test_nothing_contradicts(superuser_url: str, rule: str) -> None:
    assert rows(superuser_url, CONTRADICTIONS[rule]) == []


def test_a_split_and_the_dividends_after_it(superuser_url: str) -> None:
    query = """
        SELECT t.type, t.executed_at, t.amount, t.quantity, t.split_for, t.quantity_delta, (
            SELECT sum(b.quantity_delta) FROM transactions b
            WHERE (b.portfolio_id, b.instrument_id) = (t.portfolio_id, t.instrument_id)
              AND (b.executed_at, b.id) < (t.executed_at, t.id)) AS held
        FROM transactions t JOIN instruments i ON i.id = t.instrument_id
        WHERE i.symbol = 'AAPL' AND t.type IN ('SPLIT', 'DIVIDEND', 'TAX') ORDER BY t.executed_at, t.id
    """
    first, second, *dividends = rows(superuser_url, query)
    # The first instant of the ex-date in New York.
    at = dt.datetime(2000, 6, 21, 4, tzinfo=dt.UTC)
    assert first == ("SPLIT", at, 0, 2, 1, D("8.0693"), D("8.0693"))
    at = dt.datetime(2005, 2, 28, 5, tzinfo=dt.UTC)
    assert second == ("SPLIT", at, 0, 2, 1, D("348.0685"), D("348.0685"))
    at = dt.datetime(2012, 8, 9, 20, tzinfo=dt.UTC)
    # 2.65 a share, of which 15 % are kept back.
    assert dividends[:2] == [
        ("DIVIDEND", at, D("867.56"), None, None, 0, D("327.3816")),
        ("TAX", at, D("130.13"), None, None, 0, D("327.3816")),
    ]
    assert [amount for type, _, amount, *_ in dividends] == [
        *(D("867.56"), D("130.13"), D("872.91"), D("130.94"), D("745.78"), D("111.87"))
    ]


def test_a_position_that_was_closed(superuser_url: str) -> None:
    query = """
        SELECT i.symbol, s.cost_basis, count(l.id), sum(l.remaining_quantity), sum(l.remaining_cost)
        FROM positions s JOIN instruments i ON i.id = s.instrument_id
        JOIN lots l ON (l.portfolio_id, l.instrument_id) = (s.portfolio_id, s.instrument_id)
        WHERE s.quantity = 0 GROUP BY 1, 2
    """
    [(symbol, cost, lots, quantity, left)] = rows(superuser_url, query)
    assert (symbol, cost, quantity, left) == ("GE", 0, 0, 0)
    assert lots > 100


def test_first_and_last_days(superuser_url: str) -> None:
    query = """
        SELECT date, total_value, cash_value, net_flow, daily_return, cumulative_return, volatility,
               sharpe_ratio, sortino_ratio, max_drawdown, num_positions
        FROM performance_history h JOIN portfolios p ON p.id = h.portfolio_id
        WHERE p.name = 'Quiet income' ORDER BY date
    """
    first, second, *_, last = rows(superuser_url, query)
    # The deposit stays what it is, and its day counts in no deviation.
    assert first == (dt.date(2004, 1, 2), 500, 500, 500, 0, 0, None, None, None, 0, 0)
    # Five trades at a dollar each, at the close.
    assert second[:6] == (dt.date(2004, 1, 5), 495, second[2], 0, D("-0.01"), D("-0.01"))
    assert last == (
        dt.date(2022, 12, 28),
        D("334785.184164"),
        D("610.2403749"),
        600,
        D("-0.0089097976"),
        D("4.2536288588"),
        D("0.145096607"),
        D("0.6753190572"),
        D("0.9748852441"),
        D("0.3288574142"),
        5,
    )


def test_a_second_run_changes_nothing(
    demo: DemoOutcome, superuser_url: str, app_url: str, owner_url: str
) -> None:
    def everything() -> list[object]:
        digest = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
        return [rows(superuser_url, digest.format(table)) for table in (*TABLES, "users", "refresh_tokens")]

    assert demo.created
    before = everything()
    steps: list[str] = []
    started = time.process_time()
    again = set_up_demo(app_url, owner_url, "another password", lambda step, *_: steps.append(step))
    assert time.process_time() - started < 0.3
    assert again == DemoOutcome(password=None, created=False)
    assert steps == []
    assert everything() == before


async def test_the_password_opens_the_door_and_the_second_user_stays_out_of_sight(
    demo: DemoOutcome, superuser_url: str, sessions: Sessions
) -> None:
    assert demo.password is not None
    assert len(demo.password) >= 16
    passwords = Passwords(at_once=1)
    auth_service = AuthService(sessions, AccessTokens(KeyRing.generate(), "test", "test"), passwords)
    user = await auth_service.login("demo", demo.password, RequestOrigin())
    passwords.close()
    async with sessions.reading(None) as connection:
        other_id = await connection.fetchval("SELECT user_id FROM logins WHERE identifier = 'other'")
    for table in TABLES:
        owners = f"SELECT owner_id, count(*) AS count FROM {table} GROUP BY 1"
        async with sessions.reading(user.user_id) as connection:
            seen = {row["owner_id"] for row in await connection.fetch(owners)}
            hidden = await connection.fetch(f"SELECT FROM {table} WHERE owner_id = $1", other_id)
        async with sessions.reading(other_id) as connection:
            others = {row["owner_id"] for row in await connection.fetch(owners)}
        assert (table, seen, others, hidden) == (table, {user.user_id}, {other_id}, [])
