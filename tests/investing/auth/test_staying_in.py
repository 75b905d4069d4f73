"""Refreshing and leaving: each token once, and a replay ends the session."""

import asyncio
import base64
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.administration import set_active
from investing.auth.refresh_tokens import new_refresh_token, read_refresh_token
from investing.auth.service import AuthService
from investing.auth.types import LoggedIn, NotLoggedIn
from investing.rules.auth.refreshing import Verdict, judge
from investing.rules.errors import InvalidRefreshToken, WrongCredentials
from tests.investing.auth.looking import actions, families


async def is_in(auth_service: AuthService, session: LoggedIn) -> bool:
    try:
        return (await auth_service.viewer(session.access_token)).id == session.user_id
    except NotLoggedIn:
        return False


async def test_each_refresh_gives_new_tokens_of_the_same_session(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, client: RequestOrigin
) -> None:
    chain = [user]
    for _ in range(5):
        chain.append(await auth_service.refresh(chain[-1].refresh_token, client))
    assert len({link.refresh_token for link in chain}) == len({link.access_token for link in chain}) == 6
    viewers = [await auth_service.viewer(link.access_token) for link in chain]
    assert len({viewer.session_id for viewer in viewers}) == 1
    assert {viewer.id for viewer in viewers} == {link.user_id for link in chain} == {user.user_id}
    assert await families(sessions, user.user_id) == [(6, 5, False)]
    assert await actions(sessions, user.user_id) == ["user.registered"] + ["token.refreshed"] * 5


@pytest.mark.parametrize("replayed", [0, 1, 2])
async def test_a_replay_ends_the_session_and_no_other(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    name: str,
    client: RequestOrigin,
    replayed: int,
) -> None:
    other = await auth_service.login(name, "correct horse battery", client)
    chain = [user]
    for _ in range(3):
        chain.append(await auth_service.refresh(chain[-1].refresh_token, client))
    with pytest.raises(InvalidRefreshToken):
        await auth_service.refresh(chain[replayed].refresh_token, client)
    for link in chain:
        with pytest.raises(InvalidRefreshToken):
            await auth_service.refresh(link.refresh_token, client)
        assert not await is_in(auth_service, link)
    assert await is_in(auth_service, other)
    assert await is_in(auth_service, await auth_service.refresh(other.refresh_token, client))
    assert await families(sessions, user.user_id) == [(4, 3, True), (2, 1, False)]
    assert (await actions(sessions, user.user_id)).count("token.reused") == 1


@pytest.mark.parametrize("refreshes_before", [0, 2])
async def test_of_a_race_at_most_one_wins_and_the_session_ends(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    client: RequestOrigin,
    refreshes_before: int,
) -> None:
    token = user.refresh_token
    for _ in range(refreshes_before):
        token = (await auth_service.refresh(token, client)).refresh_token
    results = await asyncio.gather(
        *(auth_service.refresh(token, client) for _ in range(20)), return_exceptions=True
    )
    won = [result for result in results if isinstance(result, LoggedIn)]
    assert [type(result) for result in results if result not in won] == [InvalidRefreshToken] * 19
    assert len(won) == 1
    assert not await is_in(auth_service, won[0])
    with pytest.raises(InvalidRefreshToken):
        await auth_service.refresh(won[0].refresh_token, client)
    links = refreshes_before + 2
    assert await families(sessions, user.user_id) == [(links, links - 1, True)]
    assert (await actions(sessions, user.user_id)).count("token.reused") == 1


async def test_logging_out_while_refreshing_leaves_nothing_open(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str, client: RequestOrigin
) -> None:
    for _ in range(10):
        session = await auth_service.login(name, "correct horse battery", client)
        refreshed, left = await asyncio.gather(
            auth_service.refresh(session.refresh_token, client),
            auth_service.logout(session.refresh_token, client),
            return_exceptions=True,
        )
        assert left is None
        assert isinstance(refreshed, LoggedIn | InvalidRefreshToken)
        assert not await is_in(auth_service, session)
    assert [ended for _, _, ended in await families(sessions, user.user_id)] == [False] + [True] * 10


async def test_deactivating_while_coming_in_leaves_nothing_open(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str, client: RequestOrigin
) -> None:
    for _ in range(5):
        inside = [await auth_service.login(name, "correct horse battery", client) for _ in range(3)]
        *results, changed = await asyncio.gather(
            *(auth_service.refresh(session.refresh_token, client) for session in inside),
            auth_service.login(name, "correct horse battery", client),
            set_active(sessions, name, False),
            return_exceptions=True,
        )
        assert changed is True
        assert all(isinstance(r, LoggedIn | InvalidRefreshToken | WrongCredentials) for r in results)
        await set_active(sessions, name, True)
        for session in [*inside, *(result for result in results if isinstance(result, LoggedIn))]:
            assert not await is_in(auth_service, session)


async def test_logging_out_ends_the_session_and_may_be_repeated(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, client: RequestOrigin
) -> None:
    latest = await auth_service.refresh(user.refresh_token, client)
    for token in (user.refresh_token, user.refresh_token, latest.refresh_token):
        await auth_service.logout(token, client)
    assert not await is_in(auth_service, latest)
    with pytest.raises(InvalidRefreshToken):
        await auth_service.refresh(latest.refresh_token, client)
    assert await actions(sessions, user.user_id) == ["user.registered", "token.refreshed", "user.logged_out"]


async def test_an_expired_token_is_refused(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, client: RequestOrigin
) -> None:
    async with sessions.reading(user.user_id) as connection:
        query = "UPDATE refresh_tokens SET expires_at = now() - interval '1 second' WHERE owner_id = $1"
        await connection.execute(query, user.user_id)
    with pytest.raises(InvalidRefreshToken):
        await auth_service.refresh(user.refresh_token, client)
    assert await families(sessions, user.user_id) == [(1, 0, False)]


async def test_a_token_lives_for_thirty_days(sessions: Sessions, user: LoggedIn) -> None:
    async with sessions.reading(user.user_id) as connection:
        life = await connection.fetchval(
            "SELECT expires_at - created_at = interval '30 days' FROM refresh_tokens"
        )
    assert life is True


async def test_tokens_that_are_not_ours(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, client: RequestOrigin
) -> None:
    text = user.refresh_token
    unknown, _ = new_refresh_token(user.user_id)
    somebody = await auth_service.register("somebody", "somebody@example.org", "0123456789", None, client)
    # The secret of one user's token under the other's id.
    swapped = somebody.refresh_token[:24] + text[24:]
    forged = ["", text[:-1], text + "A", text + "=", text + "\n", text[4:], "gfr-" + text[4:], text.upper()]
    forged += [unknown, swapped, text[:30] + "!" + text[31:], "\ud800" * 68, user.access_token, "a" * 10**6]
    for token in forged:
        with pytest.raises(InvalidRefreshToken) as refused:
            await auth_service.refresh(token, client)
        assert (refused.value.code, refused.value.field) == ("INVALID_REFRESH_TOKEN", ("refreshToken",))
        await auth_service.logout(token, client)
    assert await is_in(auth_service, await auth_service.refresh(text, client))
    assert await is_in(auth_service, await auth_service.refresh(somebody.refresh_token, client))


def test_a_token_has_256_random_bits_and_one_spelling(user: LoggedIn) -> None:
    text, token_hash = new_refresh_token(user.user_id)
    assert len(text) == 68
    assert read_refresh_token(text) == (user.user_id, token_hash)
    assert len(token_hash) == 32
    assert new_refresh_token(user.user_id)[0][25:] != text[25:]


async def test_no_secret_is_in_the_database(
    auth_service: AuthService, superuser_url: str, owner_url: str, user: LoggedIn, client: RequestOrigin
) -> None:
    refreshed = await auth_service.refresh(user.refresh_token, client)
    dump = await everything(superuser_url, owner_url)
    assert str(user.user_id) in dump
    for session in (user, refreshed):
        shown = read_refresh_token(session.refresh_token)
        assert shown is not None
        assert shown.token_hash.hex() in dump
        for secret in secrets_of(session):
            assert secret not in dump


def secrets_of(session: LoggedIn) -> list[str]:
    raw = base64.urlsafe_b64decode(session.refresh_token[4:])[16:]
    encoded = [raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    texts = [session.refresh_token, session.refresh_token[25:], session.access_token, "correct horse battery"]
    return [*encoded, *texts, session.access_token.rpartition(".")[2]]


async def everything(superuser_url: str, owner_url: str) -> str:
    """All rows of all tables as text: a superuser is not held by row-level security."""
    connection = await asyncpg.connect(superuser_url, database=urlsplit(owner_url).path[1:])
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        parts = []
        for table in tables:
            rows = await connection.fetch(f'SELECT t::text AS line FROM "{table["tablename"]}" t')
            parts += [row["line"] for row in rows]
        return "\n".join(parts)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("revoked", "used", "expired", "active", "verdict"),
    [
        (False, False, False, True, Verdict.ROTATE),
        (False, False, True, True, Verdict.REFUSE),
        (False, True, False, True, Verdict.REVOKE),
        (False, True, True, True, Verdict.REVOKE),
        (True, False, False, True, Verdict.REFUSE),
        (True, True, False, True, Verdict.REFUSE),
        (False, False, False, False, Verdict.REFUSE),
        (False, True, False, False, Verdict.REFUSE),
    ],
)
def test_the_verdict(revoked: bool, used: bool, expired: bool, active: bool, verdict: Verdict) -> None:
    assert judge(revoked=revoked, used=used, expired=expired, active=active) is verdict
