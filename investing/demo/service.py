"""Set up the demo: prices, the two users, and everything that they ever did, once or not at all.

Each user is registered with a password that nobody learns. Everything else of theirs is one transaction,
which also sets the password to log in with and notes in their audit log that they are complete. A process
that dies in between leaves at most a user that nobody can log in as, and the next start continues.
"""

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from db.auth.queries import user_id_of
from db.demo.queries import fetch_actions
from db.demo.writes import (
    Tree,
    add_tree,
    allow_long_statements,
    analyze,
    analyze_uncommitted,
    lock_user,
    was_done,
)
from db.sessions import Session, Sessions, open_sessions
from investing.actor import RequestOrigin
from investing.audit import note
from investing.auth.administration import replace_password
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.demo.plan import UserPlan
from investing.demo.prices import read_market
from investing.demo.tree import build_tree
from investing.demo.users import DEMO, OTHER
from investing.market.loading import Progress, load_market_data
from investing.portfolio.snapshots import refresh_within
from investing.rules.auth import registration
from investing.rules.errors import NameTaken

_CLIENT = RequestOrigin(user_agent="graphfolio demo")
_BEGUN, _BUILT = "user.registered", "demo.built"

# No letters that look alike: the password is read from a terminal and typed elsewhere.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class DemoOutcome:
    """The result. The password of `demo` is shown only this once; None if everything already existed."""

    password: str | None
    created: bool


def set_up_demo(url: str, owner_url: str, password: str | None, report: Progress) -> DemoOutcome:
    """Load the bundled prices and create the users `demo` and `other`, unless that has been done.

    `url` is the URL of the server's database, `owner_url` the same for the owner of the tables. Raise
    WeakPassword or InvalidInput if the password could not be registered, NameTaken if somebody else has one
    of the two names, and BundledDataError if the price data are missing. It runs event loops of its own.
    """
    if asyncio.run(_is_complete(url)):
        return DemoOutcome(None, False)
    chosen = registration.password(password or new_password())
    load_market_data(owner_url, report)
    created = asyncio.run(_build(owner_url, chosen, report))
    return DemoOutcome(chosen if created else None, created)


def new_password() -> str:
    """Return four groups of five letters and digits: 99 random bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


async def _is_complete(url: str) -> bool:
    async with open_sessions(url, size=1) as sessions:
        user_id = await user_id_of(sessions, DEMO.username)
        return user_id is not None and await _is_built(sessions, user_id, DEMO)


async def _build(owner_url: str, password: str, report: Progress) -> bool:
    """Create the users; return whether this call created `demo`, who comes last and completes the demo."""
    created = False
    with closing(Passwords(at_once=1)) as passwords:
        for plan, chosen in ((OTHER, new_password()), (DEMO, password)):
            # One connection for each: a connection caches the plans of its foreign key checks, and plans made
            # for the few rows of the first user are slow for the many rows of the second.
            async with open_sessions(owner_url, size=1) as sessions:
                created = await _Builder(sessions, passwords, report).make(plan, chosen)
    await analyze(owner_url)
    return created


class _Builder:
    """Create demo users."""

    def __init__(self, sessions: Sessions, passwords: Passwords, report: Progress) -> None:
        self._sessions, self._passwords, self._report = sessions, passwords, report

    async def make(self, plan: UserPlan, password: str) -> bool:
        """Create a user with this password, or complete one; return whether there was anything to do."""
        user_id = await user_id_of(self._sessions, plan.username) or await self._register(plan)
        if await _is_built(self._sessions, user_id, plan):
            return False
        market = await read_market(self._sessions, plan.symbols)
        now = dt.datetime.now(dt.UTC)
        tree = build_tree(user_id, plan, market, now, self._step(f"Replaying {plan.username}'s trades"))
        password_hash = await self._passwords.hash(password)
        async with self._sessions.begin(user_id) as session:
            await lock_user(session, user_id)
            await allow_long_statements(session)
            # Checked again, because another process may have been faster.
            if await was_done(session, user_id, _BUILT):
                return False
            await add_tree(session, tree, self._step(f"Storing {plan.username}'s trades"))
            await analyze_uncommitted(session)
            await _compute_snapshots(session, user_id, tree, self._step(f"Valuing {plan.username}'s days"))
            await _note_all(session, user_id, tree)
            await replace_password(session, user_id, password_hash)
        return True

    async def _register(self, plan: UserPlan) -> UUID:
        # The tokens of this login are discarded unseen.
        tokens = AccessTokens(KeyRing.generate(), "graphfolio demo", "nobody")
        auth_service = AuthService(self._sessions, tokens, self._passwords)
        registered = await auth_service.register(
            plan.username, plan.email, new_password(), plan.full_name, _CLIENT
        )
        return registered.user_id

    def _step(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self._report(name, done, total)


async def _is_built(sessions: Sessions, user_id: UUID, plan: UserPlan) -> bool:
    """Return whether the user is complete. Raise NameTaken if it was not the demo that registered them."""
    agent = _CLIENT.user_agent or ""
    actions = await fetch_actions(sessions, user_id, agent, [_BEGUN, _BUILT])
    if _BEGUN not in actions:
        raise NameTaken(
            f"Somebody has registered as {plan.username}: the demo needs that name, or a database of its own."
        )
    return _BUILT in actions


async def _compute_snapshots(
    session: Session, user_id: UUID, tree: Tree, report: Callable[[int, int], None]
) -> None:
    for done, row in enumerate(tree.portfolios):
        report(done, len(tree.portfolios))
        # The whole ledger is stored before any of the portfolios is computed.
        await refresh_within(session, user_id, row["id"], tell_others=False)
    report(len(tree.portfolios), len(tree.portfolios))


async def _note_all(session: Session, user_id: UUID, tree: Tree) -> None:
    """Write what the services would have noted, and finally that the user is complete."""
    noted: Sequence[tuple[str, str, list[dict[str, object]]]] = (
        ("account.created", "Account", tree.accounts),
        ("portfolio.created", "Portfolio", tree.portfolios),
        ("watchlist.created", "Watchlist", tree.watchlists),
    )
    for action, entity_type, rows in noted:
        for row in rows:
            id = row["id"]
            assert isinstance(id, UUID)
            await note(session, user_id, _CLIENT, action, entity_type, id, name=row["name"])
    count = len(tree.transactions)
    await note(session, user_id, _CLIENT, _BUILT, "User", user_id, transactions=count)
