"""Logging in: by either name, refused in the same way for every reason, and noted."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial

import pytest
from argon2 import PasswordHasher

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.administration import NoSuchUser, set_active, set_administrator, set_password
from investing.auth.passwords import NOBODY, Checked, Passwords, Source
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.auth.types import LoggedIn, NotLoggedIn
from investing.rules.errors import InvalidRefreshToken, WrongCredentials
from tests.investing.auth.looking import actions, families, rows

PASSWORD = "correct horse battery"


@pytest.mark.parametrize("identifier", ["{}", "{}@example.org", "{}@EXAMPLE.org"])
@pytest.mark.parametrize("case", ["lower", "upper", "swapcase"])
async def test_either_name_in_any_case(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    name: str,
    client: RequestOrigin,
    identifier: str,
    case: str,
) -> None:
    before = await auth_service.viewer(user.access_token)
    again = await auth_service.login(getattr(identifier.format(name), case)(), PASSWORD, client)
    assert again.user_id == user.user_id
    viewer = await auth_service.viewer(again.access_token)
    assert viewer.session_id != before.session_id
    assert viewer.last_login_at is not None
    assert before.last_login_at is not None
    assert viewer.last_login_at > before.last_login_at
    assert await actions(sessions, user.user_id) == ["user.registered", "user.logged_in"]
    assert await families(sessions, user.user_id) == [(1, 0, False), (1, 0, False)]


@pytest.mark.parametrize(
    "password",
    [
        "",
        "correct horse batter",
        "correct horse battery ",
        "Correct horse battery",
        "\ud800" * 12,
        pytest.param("a" * 10**6, id="huge"),
    ],
)
async def test_a_wrong_password_is_refused_and_noted(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    name: str,
    client: RequestOrigin,
    password: str,
) -> None:
    with pytest.raises(WrongCredentials) as refused:
        await auth_service.login(name, password, client)
    assert (refused.value.code, refused.value.field) == ("WRONG_CREDENTIALS", ())
    query = "SELECT action, details, ip_address, user_agent FROM audit_log ORDER BY id DESC LIMIT 1"
    assert await rows(sessions, user.user_id, query) == [
        {
            "action": "user.login_failed",
            "details": {"reason": "password"},
            "ip_address": "192.0.2.7",
            "user_agent": "a browser",
        }
    ]
    assert await families(sessions, user.user_id) == [(1, 0, False)]


@pytest.mark.parametrize(
    "identifier",
    ["", "nobody", "a\x00b", "\ud800", "\u017f" * 9, pytest.param("a" * 10**6, id="huge"), "' OR 1=1 --"],
)
async def test_nobody_is_refused_in_the_same_words(
    auth_service: AuthService, client: RequestOrigin, identifier: str
) -> None:
    with pytest.raises(WrongCredentials) as refused:
        await auth_service.login(identifier, PASSWORD, client)
    assert (refused.value.message, refused.value.field) == (WrongCredentials().message, ())


async def test_a_deactivated_user_is_out_at_once(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str, client: RequestOrigin
) -> None:
    second = await auth_service.login(name, PASSWORD, client)
    assert await set_active(sessions, name.upper(), False) is True
    for session in (user, second):
        with pytest.raises(NotLoggedIn):
            await auth_service.viewer(session.access_token)
        with pytest.raises(InvalidRefreshToken):
            await auth_service.refresh(session.refresh_token, client)
    with pytest.raises(WrongCredentials) as refused:
        await auth_service.login(name, PASSWORD, client)
    assert refused.value.message == WrongCredentials().message
    assert await families(sessions, user.user_id) == [(1, 0, True), (1, 0, True)]

    assert await set_active(sessions, name, False) is False
    assert await set_active(sessions, f"{name}@example.org", True) is True
    with pytest.raises(NotLoggedIn):
        await auth_service.viewer(user.access_token)
    with pytest.raises(InvalidRefreshToken):
        await auth_service.refresh(user.refresh_token, client)
    assert (await auth_service.login(name, PASSWORD, client)).user_id == user.user_id
    log = await rows(sessions, user.user_id, "SELECT action, details FROM audit_log ORDER BY id")
    assert [(entry["action"], entry["details"]) for entry in log] == [
        ("user.registered", {}),
        ("user.logged_in", {}),
        ("user.deactivated", {"by": "command", "sessions_ended": 2}),
        ("user.login_failed", {"reason": "deactivated"}),
        ("user.activated", {"by": "command"}),
        ("user.logged_in", {}),
    ]


async def test_an_administrator_is_made_and_unmade(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str
) -> None:
    assert await set_administrator(sessions, name, True) is True
    assert await set_administrator(sessions, name, True) is False
    assert (await auth_service.viewer(user.access_token)).is_admin is True
    assert await set_administrator(sessions, name, False) is True
    assert (await auth_service.viewer(user.access_token)).is_admin is False
    assert await actions(sessions, user.user_id) == [
        "user.registered",
        "user.made_administrator",
        "user.unmade_administrator",
    ]


async def test_commands_name_the_user_they_do_not_find(sessions: Sessions) -> None:
    with pytest.raises(NoSuchUser, match=r"^There is no user nobody\.$"):
        await set_administrator(sessions, "nobody", True)
    with pytest.raises(NoSuchUser):
        await set_active(sessions, "no\x00body", False)


async def test_a_hash_with_old_parameters_is_renewed(
    sessions: Sessions, tokens: AccessTokens, user: LoggedIn, name: str, client: RequestOrigin
) -> None:
    [old] = await rows(sessions, user.user_id, "SELECT password_hash FROM users")
    assert old["password_hash"].startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    passwords = Passwords()
    auth_service = AuthService(sessions, tokens, passwords)
    hashes = []
    for _ in range(2):
        assert (await auth_service.login(name, PASSWORD, client)).user_id == user.user_id
        hashes += await rows(sessions, user.user_id, "SELECT password_hash FROM users")
    passwords.close()
    assert hashes[0]["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert hashes[1] == hashes[0]


class Slow(Passwords):
    """Takes so long to check a password that something happens meanwhile, once."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def verify(self, password: str, stored: str | None, source: Source = NOBODY) -> Checked:
        checked = await super().verify(password, stored, source)
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            await happening()
        return checked


@pytest.mark.parametrize("replaced", ["another password", PASSWORD])
async def test_a_password_that_is_replaced_while_it_is_checked_is_checked_again(
    sessions: Sessions, tokens: AccessTokens, user: LoggedIn, name: str, client: RequestOrigin, replaced: str
) -> None:
    """Another login may only have renewed the hash; or whoever knows the old password must not get in."""
    with closing(Slow(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))) as passwords:
        passwords.meanwhile = partial(set_password, sessions, name, replaced)
        auth_service = AuthService(sessions, tokens, passwords)
        if replaced == PASSWORD:
            assert (await auth_service.login(name, PASSWORD, client)).user_id == user.user_id
        else:
            with pytest.raises(WrongCredentials):
                await auth_service.login(name, PASSWORD, client)
    ended = [is_ended for _, _, is_ended in await families(sessions, user.user_id)]
    assert ended == ([True, False] if replaced == PASSWORD else [True])


async def test_no_more_than_the_cap_are_hashed_at_once(passwords: Passwords) -> None:
    assert passwords._threads._max_workers == 2
    nobody = await passwords.verify(PASSWORD, None)
    assert (nobody.is_right, nobody.renewed) == (False, None)
    assert (await passwords.verify(PASSWORD, "!")).is_right is False
    assert (await passwords.verify(PASSWORD, "$argon2id$damaged")).is_right is False


async def test_what_a_client_says_of_itself_is_made_storable(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str
) -> None:
    await auth_service.login(name, PASSWORD, RequestOrigin(None, "a\x00b\ud800" + "c" * 600))
    query = "SELECT ip_address, user_agent FROM audit_log ORDER BY id DESC LIMIT 1"
    assert await rows(sessions, user.user_id, query) == [{"ip_address": None, "user_agent": "ab" + "c" * 496}]
