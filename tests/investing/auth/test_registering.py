"""Registering: what may be registered, by whom only once, and what is kept."""

import asyncio
import datetime as dt

import pytest

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.types import LoggedIn
from investing.rules.errors import DomainError, EmailTaken, InvalidInput, NameTaken, WeakPassword
from tests.investing.auth.looking import actions, families, rows

GOOD = {"username": "viewer", "email": "viewer@example.org", "password": "0123456789", "full_name": None}


async def count_logins(sessions: Sessions) -> int:
    async with sessions.reading(None) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM logins"))


async def test_a_new_user_is_logged_in(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str
) -> None:
    viewer = await auth_service.viewer(user.access_token)
    assert (viewer.id, viewer.username, viewer.email) == (user.user_id, name, f"{name}@example.org")
    assert (viewer.full_name, viewer.currency, viewer.is_admin, viewer.is_active) == (
        "A full name",
        "USD",
        False,
        True,
    )
    assert viewer.expires_at == user.expires_at
    assert viewer.last_login_at == viewer.created_at
    assert dt.timedelta(0) <= dt.datetime.now(dt.UTC) - viewer.created_at < dt.timedelta(minutes=1)
    left = user.expires_at - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=9) < left <= dt.timedelta(minutes=10)
    assert await families(sessions, user.user_id) == [(1, 0, False)]


async def test_registering_is_audited(sessions: Sessions, user: LoggedIn) -> None:
    query = "SELECT action, entity_type, entity_id, details, ip_address, user_agent FROM audit_log"
    family = "SELECT family_id FROM refresh_tokens"
    [token] = await rows(sessions, user.user_id, family)
    assert await rows(sessions, user.user_id, query) == [
        {
            "action": "user.registered",
            "entity_type": "session",
            "entity_id": token["family_id"],
            "details": {},
            "ip_address": "192.0.2.7",
            "user_agent": "a browser",
        }
    ]


async def test_passwords_are_kept_as_argon2id_with_the_libraries_parameters() -> None:
    passwords = Passwords()
    first, second = [await passwords.hash("0123456789") for _ in range(2)]
    passwords.close()
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second


@pytest.mark.parametrize("other", ["lower", "upper"])
async def test_a_name_is_taken_in_any_case(
    auth_service: AuthService,
    sessions: Sessions,
    user: LoggedIn,
    name: str,
    client: RequestOrigin,
    other: str,
) -> None:
    before = await count_logins(sessions)
    same = getattr(name, other)()
    with pytest.raises(NameTaken) as name_taken:
        await auth_service.register(same, f"x{name}@example.org", "0123456789", None, client)
    assert (name_taken.value.code, name_taken.value.field) == ("NAME_TAKEN", ("username",))
    with pytest.raises(EmailTaken) as email_taken:
        await auth_service.register(f"x{name}", f"{same}@Example.ORG", "0123456789", None, client)
    assert (email_taken.value.code, email_taken.value.field) == ("EMAIL_TAKEN", ("email",))
    assert await count_logins(sessions) == before
    assert await actions(sessions, user.user_id) == ["user.registered"]


async def test_of_many_at_once_one_gets_the_name(
    auth_service: AuthService, sessions: Sessions, name: str, client: RequestOrigin
) -> None:
    before = await count_logins(sessions)
    attempts = [
        auth_service.register(name, f"{name}@example.org", "0123456789", None, client),
        *(
            auth_service.register(name, f"{name}{i}@example.org", "0123456789", None, client)
            for i in range(5)
        ),
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["LoggedIn"] + ["NameTaken"] * 5
    assert await count_logins(sessions) == before + 2


BAD: list[tuple[dict[str, str], type[DomainError], tuple[str, ...]]] = [
    *(
        ({"username": text}, InvalidInput, ("username",))
        for text in ("", "ab", "a" * 33, "1abc", "_abc", "a b", "ab@c", "abc\n", "abc\x00", "Ünal", "a/bc")
    ),
    *(
        ({"email": text}, InvalidInput, ("email",))
        for text in (
            *(
                "",
                "a",
                "a@",
                "@b.c",
                "a@b",
                "a@b..c",
                "a@-b.c",
                "a b@c.de",
                "a@b.c\n",
                "a\x00@b.cd",
                "a@@b.c",
            ),
            *(".a@b.cd", "a.@b.cd", "a..b@c.de", "ä@b.cd", "a" * 65 + "@b.cd", "a@" + "b" * 64 + ".cd"),
            "a@" + "b." * 125 + "org",
        )
    ),
    *(
        ({"full_name": text}, InvalidInput, ("fullName",))
        for text in ("a" * 201, "a\x00", "a\nb", "a\x7f", "\ud800", "a\u2028b", "a\u202eb")
    ),
    ({"password": "a" * 129}, InvalidInput, ("password",)),
    ({"password": "0123456789\x00"}, InvalidInput, ("password",)),
    ({"password": "0123456789\ud800"}, InvalidInput, ("password",)),
    ({"password": "012345678"}, WeakPassword, ("password",)),
    ({"password": ""}, WeakPassword, ("password",)),
]


@pytest.mark.parametrize(("bad", "domain_error", "field"), BAD)
async def test_bad_input_is_refused_and_nothing_is_kept(
    auth_service: AuthService,
    sessions: Sessions,
    client: RequestOrigin,
    bad: dict[str, str],
    domain_error: type[DomainError],
    field: tuple[str, ...],
) -> None:
    before = await count_logins(sessions)
    with pytest.raises(domain_error) as refused:
        await auth_service.register(**{**GOOD, **bad}, client=client)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert str(refused.value) == refused.value.message != ""
    assert await count_logins(sessions) == before


def test_a_weak_password_says_how_long_it_must_be() -> None:
    weak = WeakPassword(min_length=12)
    assert (weak.code, weak.min_length, weak.message) == (
        "WEAK_PASSWORD",
        12,
        "A password has at least 12 characters.",
    )


@pytest.mark.parametrize("password", ["0123456789", "ü" * 128, "  spaces kept  ", "密码密码密码密码密码"])
async def test_any_long_enough_password_works_as_it_stands(
    auth_service: AuthService, name: str, client: RequestOrigin, password: str
) -> None:
    registered = await auth_service.register(name, f"{name}+tag@sub.example.org", password, "  ", client)
    assert (await auth_service.viewer(registered.access_token)).full_name is None
    assert (await auth_service.login(name, password, client)).user_id == registered.user_id
