"""A whole server under attack: who is right is answered meanwhile, and gets in from a device of theirs."""

import asyncio
import secrets
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, Literal

import httpx
import pytest
from argon2 import PasswordHasher

from graph.server.main import build_server
from investing.auth.attempts import AT_ONCE
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.auth.passwords import Checked, Passwords
from settings import Settings
from tests.graph.conftest import PASSWORD, REGISTER, served
from tests.waiting import PATIENCE

LOGIN = """mutation($username: String!, $password: String!) {
  login(input: { username: $username, password: $password }) { refreshToken userErrors { code } } }"""
REFRESH = """mutation($token: String!) {
  refreshToken(input: { refreshToken: $token }) { refreshToken userErrors { code } } }"""
HOME, ELSEWHERE, ATTACKER = "192.0.2.7", "203.0.113.9", "198.51.100.1"


class Gated(PasswordHasher):
    """Checks a wrong password only when the gate lets one through."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=1024, parallelism=1)
        self.gate = threading.Semaphore(0)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        if password != PASSWORD.encode():
            assert self.gate.acquire(timeout=PATIENCE)
        return super().verify(hash, password)


class Clients:
    """Clients of one server, at any address: the server believes the header of a proxy on this machine."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, query: str, address: str, device: str = "", **variables: Any) -> httpx.Response:
        headers = {"x-forwarded-for": address, **({"x-device-token": device} if device else {})}
        body = {"query": query, "variables": variables}
        return await self._client.post("/graphql", json=body, headers=headers)

    async def login(self, name: str, password: str, address: str, device: str = "") -> str:
        """Its outcome: the code of an error, or none."""
        answer = await self.ask(LOGIN, address, device, username=name, password=password)
        return outcome(answer.json())


def outcome(answer: Any) -> str:
    if "errors" in answer:
        (error,) = answer["errors"]
        assert error["extensions"].get("retryAfter", 0) >= 1, error
        return str(error["extensions"]["code"])
    codes = [error["code"] for payload in answer["data"].values() for error in payload["userErrors"]]
    return codes[0] if codes else ""


@pytest.fixture(scope="module")
def hasher() -> Gated:
    return Gated()


@pytest.fixture(scope="module")
def guarded_url(app_url: str, ring: KeyRing, secret_box: SecretBox, hasher: Gated) -> Iterator[str]:
    """A server as it comes, but for the hashes."""
    settings = Settings(_env_file=None, worker=False, send_notifications=False)
    with served(build_server(settings, app_url, ring, secret_box=secret_box, hasher=hasher)) as url:
        yield url
        hasher.gate.release(10_000)


async def test_a_right_password_is_answered_while_300_wrong_ones_wait(
    guarded_url: str, hasher: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_line = threading.Event()
    verify = Passwords.verify

    def noted(self: Passwords, password: str, *rest: Any) -> Coroutine[Any, Any, Checked]:
        if password == PASSWORD:
            in_line.set()
        return verify(self, password, *rest)

    monkeypatch.setattr(Passwords, "verify", noted)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=guarded_url, timeout=PATIENCE, limits=limits, trust_env=False
    ) as client:
        clients = Clients(client)
        name = f"user-{secrets.token_hex(4)}"
        given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        assert outcome((await clients.ask(REGISTER, HOME, input=given)).json()) == ""
        wrong = [
            asyncio.create_task(clients.login(f"nobody-{n}", "a wrong password", ATTACKER))
            for n in range(300)
        ]
        refused = 0
        for task in asyncio.as_completed(wrong):
            assert await task == "THROTTLED"
            refused += 1
            if refused == 300 - AT_ONCE:
                break
        # The others fill both threads and the queue, where the attacker's turn comes once before that of the
        # right password.
        right = asyncio.create_task(clients.login(name, PASSWORD, ELSEWHERE))
        assert await asyncio.to_thread(in_line.wait, PATIENCE)
        hasher.gate.release(3)
        assert await right == ""
        waiting = [task for task in wrong if not task.done()]
        assert len(waiting) >= AT_ONCE - 3
        hasher.gate.release(300)
        assert await asyncio.gather(*waiting) == ["WRONG_CREDENTIALS"] * len(waiting)


async def test_the_right_password_gets_in_from_a_known_device_while_130_addresses_attack_its_name(
    guarded_url: str, hasher: Gated
) -> None:
    hasher.gate.release(1000)
    async with httpx.AsyncClient(base_url=guarded_url, timeout=PATIENCE, trust_env=False) as client:
        clients = Clients(client)
        name = f"user-{secrets.token_hex(4)}"
        given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        registered = await clients.ask(REGISTER, HOME, input=given)
        device = registered.headers["x-device-token"]
        tried = await asyncio.gather(
            *(clients.login(name, "a wrong password", f"198.51.100.{n}") for n in range(130))
        )
        assert sorted(tried) == ["THROTTLED"] * 30 + ["WRONG_CREDENTIALS"] * 100
        assert await clients.login(name, PASSWORD, ELSEWHERE) == "THROTTLED"
        assert await clients.login(name, PASSWORD, ELSEWHERE, "gfd_" + "a" * 44) == "THROTTLED"
        assert await clients.login(name, PASSWORD, HOME) == ""
        again = await clients.ask(LOGIN, ELSEWHERE, device, username=name, password=PASSWORD)
        assert outcome(again.json()) == ""
        assert again.headers["x-device-token"] == device
        # A refresh answers with the token that was sent, and gives none.
        token = again.json()["data"]["login"]["refreshToken"]
        refreshed = await clients.ask(REFRESH, ELSEWHERE, device, token=token)
        assert refreshed.headers["x-device-token"] == device
        token = refreshed.json()["data"]["refreshToken"]["refreshToken"]
        assert "x-device-token" not in (await clients.ask(REFRESH, ELSEWHERE, token=token)).headers
        # Nobody else's answer has one.
        assert "x-device-token" not in (await clients.ask("{ __typename }", HOME, device)).headers
