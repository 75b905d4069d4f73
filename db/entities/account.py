"""What can be read of an account, and a user's totals over all accounts."""

from collections.abc import Mapping

from db.account.queries import ACCOUNTS
from db.entities import Entity, Few, Figure, Many, One, derived
from db.entities.portfolio import LEFT_OUT_ORDER, left_out
from db.pages import columns
from db.portfolio.queries import PORTFOLIOS
from db.trading.queries import TRANSACTIONS_OF_ACCOUNT

_VALUES = """SELECT coalesce(sum(w.market_value), 0) AS market_value,
    coalesce(sum(w.total_value), 0) AS total_value
    FROM portfolio_summary w WHERE w.owner_id = $1 AND w.account_id = t.id"""

# Accounts in other currencies are not in a user's sums.
_OTHER_CURRENCIES = """SELECT DISTINCT NULL::uuid, NULL, a.currency FROM accounts a
    JOIN users w ON w.id = $1 WHERE a.owner_id = $1 AND a.currency <> w.currency"""

ENTITIES: Mapping[str, Entity] = {
    "accounts": Entity(
        ACCOUNTS,
        figures={
            "market_value": Figure("s.market_value"),
            "total_value": Figure("t.unallotted_cash + s.total_value"),
        },
        laterals={"s": _VALUES},
        ones={"owner": One("users", on="t.owner_id")},
        lists={
            "portfolios": Many("portfolios", PORTFOLIOS),
            "transactions": Many("transactions", TRANSACTIONS_OF_ACCOUNT),
        },
        few={
            "unavailable": Few("left_out", source=left_out("p.account_id = t.id"), order=LEFT_OUT_ORDER),
        },
    ),
    "user_summaries": Entity(
        derived(
            columns(
                "owner_id currency account_count other_currency_account_count portfolio_count "
                "position_count cash_balance market_value total_value"
            ),
            "user_account_summary",
            owner="t.owner_id",
        ),
        few={
            "unavailable": Few(
                "left_out",
                source=left_out("p.currency = t.currency", and_also=_OTHER_CURRENCIES),
                order=LEFT_OUT_ORDER,
            )
        },
    ),
}
