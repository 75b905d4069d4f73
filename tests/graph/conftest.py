"""A real server on the module's database, and clients that talk to it over HTTP."""

import datetime as dt
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from starlette.applications import Starlette

from graph.server.main import build_server
from graph.server.slow_clients import patience
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from settings import Settings
from tests.graph.stored import Stored
from tests.http import loopback
from tests.waiting import PATIENCE

PASSWORD = "correct horse battery"


@dataclass
class Api:
    """One client of the server: what it sends is sent as its user, or as nobody."""

    url: str
    token: str | None = None
    username: str | None = None
    user_id: str | None = None

    def post(self, query: str, **variables: Any) -> Any:
        """The whole answer."""
        return self.send(json.dumps({"query": query, "variables": variables}).encode()).json()

    def send(self, body: bytes) -> httpx.Response:
        """The response to a body as it stands."""
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return loopback.post(f"{self.url}/graphql", content=body, headers=headers)

    def data(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def codes(self, query: str, **variables: Any) -> list[str]:
        """The codes of the answer's errors."""
        return [error["extensions"]["code"] for error in self.post(query, **variables).get("errors", [])]


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="session")
def secret_box() -> SecretBox:
    return SecretBox(KeyRing.generate)


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serves an application in a thread with a loop of its own; it believes X-Forwarded-For."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_level="warning", ws_max_size=64 * 1024, server_header=False, **patience()
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server took too long to start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def compiler() -> bool:
    """Whether the module's server compiles queries; a module that is about the resolvers says no."""
    return True


@pytest.fixture(scope="module")
def server_url(app_url: str, ring: KeyRing, secret_box: SecretBox, compiler: bool) -> Iterator[str]:
    """A server with cheap password hashing, in a thread with a loop of its own."""
    with served(built(app_url, ring, secret_box, compiler=compiler)) as url:
        yield url


def built(
    url: str, ring: KeyRing, secret_box: SecretBox, *, compiler: bool = True, **given: Any
) -> Starlette:
    """The application with cheap password hashing, and with these settings."""
    # Nothing is sent by itself, so that what a test looks at stays as it is.
    plain = {"worker": False, "send_notifications": False, "login_attempts": 0, "seconds_per_user": 0}
    return build_server(
        Settings(_env_file=None, compiler=compiler, **{**plain, **given}),
        url,
        ring,
        secret_box=secret_box,
        hasher=PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1),
    )


REGISTER = """mutation($input: RegisterInput!) {
  register(input: $input) { accessToken refreshToken user { id } userErrors { code message } } }"""


@pytest.fixture(scope="module")
def register(server_url: str) -> Callable[[], Api]:
    """Makes a user whom no other test knows, and a client that is logged in as them."""

    def make() -> Api:
        name = f"user-{secrets.token_hex(4)}"
        given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        answer = Api(server_url).data(REGISTER, input=given)["register"]
        assert answer["userErrors"] == []
        return Api(server_url, answer["accessToken"], name, answer["user"]["id"])

    return make


@pytest.fixture(scope="module")
def nobody(server_url: str) -> Api:
    """A client that is not logged in."""
    return Api(server_url)


def now() -> str:
    """This moment, as the API takes it."""
    return dt.datetime.now(dt.UTC).isoformat()


@pytest.fixture(scope="module")
def stored(superuser_url: str) -> Stored:
    return Stored(superuser_url)
