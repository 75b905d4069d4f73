"""Another password by command: it logs in, the old one and every session end."""

import pytest

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.administration import NoSuchUser, set_password
from investing.auth.service import AuthService
from investing.auth.types import LoggedIn, NotLoggedIn
from investing.rules.errors import (
    DomainError,
    InvalidInput,
    InvalidRefreshToken,
    WeakPassword,
    WrongCredentials,
)
from tests.investing.auth.looking import actions, families, rows

OLD, NEW = "correct horse battery", "staple and so on"
HASH = "SELECT password_hash FROM users WHERE id = $1"


async def test_the_new_password_works_and_nothing_of_before(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str, client: RequestOrigin
) -> None:
    second = await auth_service.login(name, OLD, client)
    await set_password(sessions, f"{name.upper()}@example.org", NEW)
    with pytest.raises(WrongCredentials):
        await auth_service.login(name, OLD, client)
    for session in (user, second):
        with pytest.raises(NotLoggedIn):
            await auth_service.viewer(session.access_token)
        with pytest.raises(InvalidRefreshToken):
            await auth_service.refresh(session.refresh_token, client)
    third = await auth_service.login(name, NEW, client)
    assert (await auth_service.viewer(third.access_token)).id == user.user_id
    assert await families(sessions, user.user_id) == [(1, 0, True), (1, 0, True), (1, 0, False)]


async def test_it_is_audited_without_the_password(sessions: Sessions, user: LoggedIn, name: str) -> None:
    await set_password(sessions, name, NEW)
    assert await actions(sessions, user.user_id) == ["user.registered", "user.password_set"]
    query = "SELECT entity_type, entity_id, details FROM audit_log WHERE action = 'user.password_set'"
    assert await rows(sessions, user.user_id, query) == [
        {
            "entity_type": "user",
            "entity_id": user.user_id,
            "details": {"by": "command", "sessions_ended": 1},
        }
    ]
    [stored] = await rows(sessions, user.user_id, HASH, user.user_id)
    assert stored["password_hash"].startswith("$argon2id$")


@pytest.mark.parametrize(
    ("password", "domain_error"),
    [("012345678", WeakPassword), ("a" * 129, InvalidInput), ("\0" * 10, InvalidInput)],
)
async def test_a_bad_password_changes_nothing(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    name: str,
    password: str,
    domain_error: type[DomainError],
) -> None:
    before = await rows(sessions, user.user_id, HASH, user.user_id)
    with pytest.raises(domain_error):
        await set_password(sessions, name, password)
    assert await rows(sessions, user.user_id, HASH, user.user_id) == before
    assert (await auth_service.viewer(user.access_token)).id == user.user_id
    assert await actions(sessions, user.user_id) == ["user.registered"]


async def test_nobody_has_this_name(sessions: Sessions) -> None:
    with pytest.raises(NoSuchUser, match=r"^There is no user nobody-at-all\.$"):
        await set_password(sessions, "nobody-at-all", NEW)
