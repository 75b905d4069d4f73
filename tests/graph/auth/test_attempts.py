"""Limits on logging in, as a client of a whole server meets them."""

import secrets
from typing import Any

import httpx
from argon2 import PasswordHasher

from graph.server.main import build_server
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from settings import Settings
from tests.graph.conftest import PASSWORD, REGISTER

LOGIN = """mutation($username: String!, $password: String!) {
  login(input: { username: $username, password: $password }) { userErrors { code } } }"""


async def test_who_tries_too_often_is_throttled(app_url: str, ring: KeyRing, secret_box: SecretBox) -> None:
    """With one attempt for one name from one address, and so ten for all, and ten registrations."""
    settings = Settings(_env_file=None, worker=False, send_notifications=False, login_attempts=1)
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    app = build_server(settings, app_url, ring, secret_box=secret_box, hasher=hasher)
    names = [f"user-{secrets.token_hex(4)}" for _ in range(11)]

    async def register(name: str) -> Any:
        return await ask(
            REGISTER, input={"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        )

    async def ask(query: str, **variables: Any) -> Any:
        return (await client.post("/graphql", json={"query": query, "variables": variables})).json()

    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60) as client,
    ):
        made = [await register(name) for name in names]
        assert [answer["data"]["register"]["userErrors"] for answer in made[:10]] == [[]] * 10
        seen = [made[10]]
        for password in (PASSWORD, PASSWORD, "wrong password"):
            answer = await ask(LOGIN, username=names[0], password=password)
            codes = [error["code"] for error in answer["data"]["login"]["userErrors"]]
            assert codes == ([] if password == PASSWORD else ["WRONG_CREDENTIALS"])
        seen.append(await ask(LOGIN, username=names[0], password=PASSWORD))
        # The other name of the same user does not tell that it is.
        other = await ask(LOGIN, username=f"{names[0]}@example.org", password="wrong password")
        assert other["data"]["login"]["userErrors"] == [{"code": "WRONG_CREDENTIALS"}]
    for answer, most in zip(seen, (60, 600), strict=True):
        (error,) = answer["errors"]
        assert list(answer["data"].values()) == [None]
        assert error["extensions"]["code"] == "THROTTLED"
        assert most - 30 < error["extensions"]["retryAfter"] <= most
