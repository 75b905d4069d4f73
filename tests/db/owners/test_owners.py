"""Every statement names the owner at each owned table, at every level: row-level security would hide one that
does not, and a sharded database would ask all of its servers.
"""

from __future__ import annotations

import pytest
from sqlglot.errors import ParseError

from db.models import Base
from tests.db.owners.calls import functions, sites, statements
from tests.db.owners.recording import Sent
from tests.db.owners.scopes import unowned

# An instrument has an owner only where it is somebody's own, so that it and its prices are the market's.
OWNERS = {
    **{
        table.name: "owner_id"
        for table in Base.metadata.tables.values()
        if "owner_id" in table.c and not table.c.owner_id.nullable
    },
    **dict.fromkeys(
        ("portfolio_summary", "position_values", "recent_transactions", "user_account_summary"), "owner_id"
    ),
    "users": "id",
}

EXEMPT = {
    "db.claims.claim": "looks for work before it is known whose it is",
    "db.portfolio.snapshots.count_work": "counts everybody's work",
    "db.alerts.portfolio_checks.with_checks": "asks of many owners at once",
    "db.alerts.price_watches.all_watches": "a price comes before it is known whose rules it crosses",
    "db.alerts.price_watches.watches_changed": "a price comes before it is known whose rules it crosses",
    "db.notifier.queries.changed_counts": "asks of many owners at once",
    "db.auth.listings.USERS": "an administrator lists all users",
    # The same, under the name by which it was found first.
    "db.entities.auth.USERS": "an administrator lists all users",
    "db.trading.orders.owners_of": "asks whose orders these are",
    "db.trading.verification.verify_all": "verify recomputes with functions of its own, user by user",
}

UNREACHED = {
    "db.trading.ledger.hold": "the statement is in db/locks.py as well, under the same name",
    "db.market.renaming._rename_wishes": "the statement is reached for a user's own instrument",
    "db.trading.verification._verify": "see above",
    "db.tree_connections.fetch": "its statements are those of tests/graph/compiler/test_owners.py",
}

SILENT = {
    "db.trading.imports.snapshot": "begins a transaction",
    "db.trading.ledger.transact": "begins a transaction",
}


@pytest.fixture(scope="module")
async def sent() -> list[Sent]:
    return await statements()


async def test_every_statement_names_its_owner(sent: list[Sent]) -> None:
    nameless = {
        f"{caller}: {', '.join(missing)}"
        for caller, sql in dict.fromkeys((one.caller, one.sql) for one in sent)
        if caller not in EXEMPT and (missing := unowned(sql, OWNERS))
    }
    assert nameless == set()


async def test_every_exemption_is_needed(sent: list[Sent]) -> None:
    needed = {one.caller for one in sent if one.caller in EXEMPT and _is_nameless(one.sql)}
    assert set(EXEMPT) - needed == set()


def _is_nameless(sql: str) -> bool:
    try:
        return bool(unowned(sql, OWNERS))
    except ParseError:
        return True


async def test_every_place_that_sends_a_statement_is_reached(sent: list[Sent]) -> None:
    reached = {one.site for one in sent}
    missed = {f"{by} {site}" for site, by in sites().items() if site not in reached and by not in UNREACHED}
    assert missed == set()
    # What the methods of a class send together, one of them sends.
    alone = {function.name for function in functions() if function.owner is None}
    assert alone - {one.caller for one in sent} == set(SILENT)
