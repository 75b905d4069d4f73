"""While a name is attacked, its user gets in from a device that they have logged in from before."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from db.auth.devices import MOST_DEVICES, remember
from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.administration import set_active, set_password
from investing.auth.attempts import AT_ONCE, TooManyAttempts
from investing.auth.devices import LIFETIME, Presented, new_device_token
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.auth.types import LoggedIn
from investing.rules.errors import WrongCredentials
from tests.investing.auth.looking import rows

PASSWORD = "correct horse battery"
HOME = RequestOrigin("192.0.2.7", "a browser")
ELSEWHERE = RequestOrigin("203.0.113.9", "a phone")


@pytest.fixture
async def guarded(
    sessions: Sessions, tokens: AccessTokens, passwords: Passwords, superuser_url: str
) -> AsyncIterator[AuthService]:
    """Two attempts for one name from one address, and so twenty for all."""
    yield AuthService(sessions, tokens, passwords, most_attempts=2)
    connection = await asyncpg.connect(superuser_url)
    await connection.execute("DELETE FROM login_attempts")
    await connection.close()


async def attacked(service: AuthService, name: str) -> None:
    """Each of 130 addresses tries the name; twenty of their guesses are looked at."""
    found = await asyncio.gather(
        *(
            service.login(name, "a wrong password", RequestOrigin(f"198.51.{n // 100}.{n % 100}"))
            for n in range(130)
        ),
        return_exceptions=True,
    )
    assert (
        sorted(type(one).__name__ for one in found) == ["TooManyAttempts"] * 110 + ["WrongCredentials"] * 20
    )


async def known(sessions: Sessions, user_id: UUID) -> set[bytes]:
    """The digests of the user's devices."""
    return {
        row["digest"] for row in await rows(sessions, user_id, "SELECT digest FROM known_devices WHERE true")
    }


async def is_let_in(service: AuthService, name: str, client: RequestOrigin, token: str | None = None) -> bool:
    """Whether the right password is looked at."""
    with contextlib.suppress(TooManyAttempts):
        await service.login(name, PASSWORD, client, token)
        return True
    return False


async def test_while_a_name_is_attacked_known_devices_get_in(
    guarded: AuthService, user: LoggedIn, name: str
) -> None:
    await attacked(guarded, name)
    # From the address, without a token, and from anywhere with it.
    assert await is_let_in(guarded, name, HOME)
    assert await is_let_in(guarded, name, RequestOrigin("198.51.0.1"), user.device_token)
    for token in (None, new_device_token(), None, None):
        with pytest.raises(TooManyAttempts) as refused:
            await guarded.login(name, PASSWORD, ELSEWHERE, token)
        # One of twenty in ten minutes, and not one of the two from here: none of these was looked at.
        assert 0 < refused.value.seconds <= 30
    # Having logged in with the token makes the address known as well.
    assert await is_let_in(guarded, name, ELSEWHERE, user.device_token)
    assert await is_let_in(guarded, name, ELSEWHERE)
    # Who knows the password does not use anything up.
    for _ in range(5):
        assert await is_let_in(guarded, name, HOME, user.device_token)


async def test_a_device_has_as_many_attempts_as_an_address(
    guarded: AuthService, user: LoggedIn, name: str
) -> None:
    for _ in range(2):
        with pytest.raises(WrongCredentials):
            await guarded.login(name, "a wrong password", ELSEWHERE, user.device_token)
    with pytest.raises(TooManyAttempts) as refused:
        await guarded.login(name, PASSWORD, HOME, user.device_token)
    assert 240 < refused.value.seconds <= 300
    # An address has the others: what a token uses up is not theirs.
    for _ in range(2):
        with pytest.raises(WrongCredentials):
            await guarded.login(name, "a wrong password", HOME)
    with pytest.raises(TooManyAttempts):
        await guarded.login(name, PASSWORD, HOME)


async def test_a_device_is_known_to_those_who_have_logged_in_from_it(
    guarded: AuthService, auth_service: AuthService, user: LoggedIn, name: str
) -> None:
    other = f"{name}-2"
    them = await auth_service.register(other, f"{other}@example.org", PASSWORD, None, ELSEWHERE)
    await attacked(guarded, name)
    assert not await is_let_in(guarded, name, ELSEWHERE, them.device_token)
    # The second user of a device gets a token of their own, and the first keeps theirs.
    again = await auth_service.login(other, PASSWORD, HOME, user.device_token)
    assert again.device_token not in (None, user.device_token, them.device_token)
    assert await is_let_in(guarded, name, RequestOrigin(None), user.device_token)


async def test_a_token_stays_the_same_and_is_renewed(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str, superuser_url: str
) -> None:
    again = await auth_service.login(name, PASSWORD, ELSEWHERE, user.device_token)
    assert again.device_token == user.device_token
    digests = {Presented.by(at.ip_address, user.device_token).of_network for at in (HOME, ELSEWHERE)}
    digests.add(Presented.by(None, user.device_token).of_token)
    assert await known(sessions, user.user_id) == digests
    aged = "UPDATE known_devices SET expires_at = expires_at - $2::interval WHERE owner_id = $1"
    left = "SELECT count(*) FROM known_devices WHERE owner_id = $1 AND expires_at > now() + $2::interval"
    connection = await asyncpg.connect(superuser_url)
    # A refresh renews it as well, from wherever it comes.
    await connection.execute(aged, user.user_id, dt.timedelta(days=80))
    there = RequestOrigin("2001:db8::1")
    refreshed = await auth_service.refresh(user.refresh_token, there, user.device_token)
    assert refreshed.device_token == user.device_token
    assert await connection.fetchval(left, user.user_id, dt.timedelta(days=89)) == 2
    # One that is not known is not taken over, nor is a new one given.
    again = await auth_service.refresh(refreshed.refresh_token, there, new_device_token())
    assert again.device_token is None
    # What is over is unknown, and forgotten with the next login, which gives another token.
    await connection.execute(aged, user.user_id, LIFETIME)
    again = await auth_service.login(name, PASSWORD, RequestOrigin(None), user.device_token)
    assert again.device_token not in (None, user.device_token)
    assert len(await known(sessions, user.user_id)) == 1
    await connection.close()


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "gfd_",
        "gfd_" + "a" * 43,
        "gfd_" + "ä" * 44,
        "gfr_" + "a" * 44,
        "gfd_" + "a" * 44 + "\n",
        "a" * 10**6,
    ],
)
async def test_anything_else_is_no_token(
    auth_service: AuthService, user: LoggedIn, name: str, token: str | None
) -> None:
    assert Presented.by(None, token).digests == []
    again = await auth_service.login(name, PASSWORD, HOME, token)
    assert again.device_token is not None
    assert Presented.by(None, again.device_token).of_token is not None
    assert "gfd_" not in repr((again, Presented.by(None, again.device_token)))


@pytest.mark.parametrize("by", ["password", "deactivation"])
async def test_devices_are_forgotten_with_the_sessions(
    guarded: AuthService, sessions: Sessions, user: LoggedIn, name: str, by: str
) -> None:
    assert len(await known(sessions, user.user_id)) == 2
    if by == "password":
        await set_password(sessions, name, PASSWORD)
    else:
        await set_active(sessions, name, False)
        await set_active(sessions, name, True)
    assert await known(sessions, user.user_id) == set()
    await attacked(guarded, name)
    assert not await is_let_in(guarded, name, HOME, user.device_token)


async def test_the_number_of_devices_is_bounded(
    auth_service: AuthService, sessions: Sessions, user: LoggedIn, name: str
) -> None:
    async with sessions.begin(user.user_id) as session:
        others = [bytes([n // 256, n % 256]) for n in range(MOST_DEVICES)]
        await remember(session, user.user_id, others, dt.timedelta(days=91))
    again = await auth_service.login(name, PASSWORD, ELSEWHERE)
    found = await known(sessions, user.user_id)
    assert len(found) == MOST_DEVICES
    # Those that were used longest ago have gone.
    assert Presented.by(None, user.device_token).of_token not in found
    assert Presented.by(None, again.device_token).of_token not in found
    assert set(others) == found


async def test_one_address_has_so_many_under_way(guarded: AuthService) -> None:
    found = await asyncio.gather(
        *(guarded.login(f"nobody-{n}", "a wrong password", ELSEWHERE) for n in range(300)),
        return_exceptions=True,
    )
    # Twenty of thirty by the limit of the address, the others before anything is looked up.
    assert [type(one) for one in found].count(WrongCredentials) == 20
    assert AT_ONCE == 30
    assert all(isinstance(one, TooManyAttempts) and one.seconds == 1 for one in found[AT_ONCE:])
    assert not guarded._attempts._at_once
