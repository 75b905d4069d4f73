"""Row-level security when the code forgets: every query with its ownership filter taken out."""

import contextlib
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import db
from db.account.queries import fetch_user_summary
from db.alerts.queries import fetch_symbols
from db.auth.queries import lock_link
from db.market.queries import (
    INSTRUMENTS,
    fetch_instruments_by_any_symbol,
    fetch_instruments_by_symbol,
)
from db.pages import Listing, Page, fetch_by_ids, fetch_counts, fetch_pages
from db.portfolio.performance import ScopeKind
from db.sessions import Sessions
from investing.auth.refresh_tokens import read_refresh_token
from tests.graph.ownership.conftest import World

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(db.__path__, "db.")
    if found.name.endswith((".queries", ".listings", ".allocation"))
]
LISTINGS = [
    (f"{module.__name__}.{name}", listing)
    for module in MODULES
    for name, listing in sorted(vars(module).items())
    if isinstance(listing, Listing)
]
OWNED_LISTINGS = [
    pytest.param(listing, id=name)
    for name, listing in LISTINGS
    if listing.owner is not None and listing is not INSTRUMENTS
]
WITHOUT_AN_OWNER = {"db.auth.listings.USERS"}
"""The users, whom the database alone tells apart."""

FUNCTIONS = [
    pytest.param(function, id=f"{m.__name__}.{name}")
    for m in MODULES
    for name, function in inspect.getmembers(m, inspect.iscoroutinefunction)
    if function.__module__ == m.__name__
    and "owner_id" in inspect.signature(function).parameters
    and function not in (fetch_symbols, fetch_instruments_by_symbol, fetch_instruments_by_any_symbol)
]
BEFORE_LOGIN = {"credentials", "fetch_actions", "user_id_of", "viewer"}
"""They run before the viewer is known, each on behalf of the one user that it concerns."""

PAGE = Page(limit=100)


def forgetful(listing: Listing[Any]) -> Listing[Any]:
    """The listing without its filter: the owner is compared with itself.

    So `$1` stays bound for the columns that name it, and names the holder there.
    """
    return replace(listing, owner="$1::uuid")


def test_every_listing_has_an_owner() -> None:
    """Or is the one that has none."""
    assert {name for name, listing in LISTINGS if listing.owner is None} == WITHOUT_AN_OWNER


def test_every_query_names_an_owner() -> None:
    """Or is of the market, or runs before the login."""
    functions = {
        name
        for m in MODULES
        for name, function in inspect.getmembers(m, inspect.iscoroutinefunction)
        if function.__module__ == m.__name__ and "owner_id" not in inspect.signature(function).parameters
    }
    of_the_market = {
        "fetch_closes",
        "fetch_instrument_quotes",
    }
    # Counts of many owners at once, from a table that has no policy.
    assert functions == of_the_market | BEFORE_LOGIN | {"changed_counts"}


def _has_ids(listing: Listing[Any]) -> bool:
    return listing.id in listing.columns.values()


async def test_instruments_without_their_filter(world: World, sessions: Sessions, superuser_url: str) -> None:
    """The shared ones are seen and one's own, and the holder's are not, whoever is named as the owner."""
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    admin = await asyncpg.connect(superuser_url)
    theirs = await admin.fetchval("SELECT id FROM instruments WHERE owner_id = $1", holder)
    own = await admin.fetchval("SELECT id FROM instruments WHERE owner_id = $1", stranger)
    shared = {row["id"] for row in await admin.fetch("SELECT id FROM instruments WHERE owner_id IS NULL")}
    await admin.close()
    async with sessions.reading(stranger) as connection:
        for without in (forgetful(INSTRUMENTS), replace(INSTRUMENTS, owner=None)):
            slices = await fetch_pages(connection, without, holder, [], PAGE)
            assert {row["id"] for row in slices[None].rows} == {*shared, own}
            assert await fetch_counts(connection, without, holder, [], PAGE) == {None: len(shared) + 1}
            assert await fetch_by_ids(connection, without, holder, [theirs]) == {}
        # With the filter, those of whoever is named as the owner, and of them what the viewer may see.
        assert set(await fetch_symbols(connection, holder)) == shared
        assert set(await fetch_symbols(connection, stranger)) == {*shared, own}
        assert await fetch_instruments_by_symbol(connection, holder, ["OWN"]) == {}
        found = await fetch_instruments_by_symbol(connection, stranger, ["OWN", "AAPL"])
        assert (found["OWN"]["id"], found["AAPL"]["is_own"]) == (own, False)


async def _keys(url: str, listing: Listing[Any], owner_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """The ids of the owner's rows, and their parents, as the superuser sees them.

    Rows without an id of their own are never read by it: the parents stand in for them.
    """
    id = listing.id if _has_ids(listing) else listing.parent
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            f"SELECT {id} AS id, {listing.parent} AS parent FROM {listing.source} "
            f"WHERE {listing.owner} = $1 AND {listing.condition or 'true'}",
            owner_id,
        )
    finally:
        await connection.close()
    return [row["id"] for row in rows], list({row["parent"] for row in rows if row["parent"] is not None})


@pytest.mark.parametrize("listing", OWNED_LISTINGS)
async def test_a_listing_without_its_filter(
    world: World, sessions: Sessions, superuser_url: str, listing: Listing[Any]
) -> None:
    """The database shows the stranger nothing of the holder's: no page, no row by its id, no count."""
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    ids, parents = await _keys(superuser_url, listing, holder)
    _, strangers = await _keys(superuser_url, listing, stranger)
    assert ids
    assert parents
    assert strangers
    broken = [forgetful(listing)]
    if "$1" not in f"{listing.selected} {listing.source} {listing.condition}":
        broken.append(replace(listing, owner=None))
    for without in broken:
        async with sessions.reading(stranger) as connection:
            found = await fetch_by_ids(connection, without, holder, ids) if _has_ids(listing) else {}
            counts = await fetch_counts(connection, without, holder, [*parents, *strangers], PAGE)
            pages = await fetch_pages(connection, without, holder, [*parents, *strangers], PAGE)
        assert found == {}
        assert not any(counts[parent] for parent in parents)
        assert not any(pages[parent].rows for parent in parents)
        # The filter is really out: asked with the holder's id, each is shown their own rows.
        assert all(pages[parent].rows for parent in strangers)
        if _has_ids(listing):
            async with sessions.reading(holder) as connection:
                assert set(await fetch_by_ids(connection, without, holder, ids)) == set(ids)


ARGUMENTS: dict[str, str] = {
    "account_ids": "accounts",
    "ids": "portfolios",
    "order_ids": "orders",
    "portfolio_ids": "portfolios",
    "transaction_ids": "transactions",
}
"""What else the queries take, by the table whose ids they are."""

OTHERS: dict[str, object] = {"kind": ScopeKind.PORTFOLIO, "since": None, "until": None}
"""What they take that is no id."""


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_a_query_for_another_owner(
    world: World, sessions: Sessions, superuser_url: str, function: Callable[..., Any]
) -> None:
    """Called on the stranger's behalf with the holder's id as the owner's, a query finds nothing."""
    if function is lock_link:
        shown = read_refresh_token(world.holder.refresh_token)
        assert shown is not None
        async with sessions.begin(world.stranger.owner_id) as session:
            assert await lock_link(session, shown.owner_id, shown.token_hash) is None
        async with sessions.begin(world.holder.owner_id) as session:
            assert await lock_link(session, shown.owner_id, shown.token_hash) is not None
        return
    parameters = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty or name in OTHERS
    } - {"connection", "owner_id"}
    arguments: dict[str, Any] = {name: OTHERS[name] for name in parameters & OTHERS.keys()}
    arguments["owner_id"] = world.holder.owner_id
    admin = await asyncpg.connect(superuser_url)
    try:
        for name in parameters - OTHERS.keys():
            ids = await admin.fetch(
                f"SELECT id FROM {ARGUMENTS[name]} WHERE owner_id = $1", world.holder.owner_id
            )
            arguments[name] = [row["id"] for row in ids]
    finally:
        await admin.close()
    # A viewer without a row in users is not foreseen there, and the holder has none that the stranger sees.
    surprise = pytest.raises(AssertionError, match="a viewer has a row in users")
    async with sessions.reading(world.stranger.owner_id) as connection:
        with surprise if function is fetch_user_summary else contextlib.nullcontext():
            assert not await function(connection, **arguments)
    async with sessions.reading(world.holder.owner_id) as connection:
        assert await function(connection, **arguments)
