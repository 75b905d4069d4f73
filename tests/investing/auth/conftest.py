"""An authentication service on a freshly migrated database of its own."""

import datetime as dt
import secrets
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.auth.types import LoggedIn


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="session")
def tokens(ring: KeyRing) -> AccessTokens:
    return AccessTokens(ring, "https://graphfolio.test", "graphfolio", dt.timedelta(minutes=10))


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    # Cheap on purpose: most tests are not about hashing, and those that are make their own.
    hashing = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    yield hashing
    hashing.close()


@pytest.fixture(scope="module")
def auth_service(sessions: Sessions, tokens: AccessTokens, passwords: Passwords) -> AuthService:
    return AuthService(sessions, tokens, passwords)


@pytest.fixture
def client() -> RequestOrigin:
    return RequestOrigin("192.0.2.7", "a browser")


@pytest.fixture
def name() -> str:
    """A username that no other test has; its e-mail address is `<name>@example.org`."""
    return f"User-{secrets.token_hex(4)}"


@pytest.fixture
async def user(auth_service: AuthService, name: str, client: RequestOrigin) -> LoggedIn:
    """Registered as `name` with the password `correct horse battery`."""
    return await auth_service.register(
        name, f"{name}@example.org", "correct horse battery", "A full name", client
    )
