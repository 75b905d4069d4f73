"""A stream ends with its token and with its login, also where nothing happens in it."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from db.sessions import Sessions
from graph.ids import parse_global_id
from investing.auth.administration import set_active
from investing.auth.keys import KeyRing
from investing.auth.tokens import AccessTokens
from tests.graph.alerts.conftest import Recipient
from tests.graph.conftest import PASSWORD, Api
from tests.graph.streams import following
from tests.waiting import PATIENCE

FOLLOW = "subscription { alerts { cursor alert { title } } }"
LOGIN = """mutation($input: LoginInput!) { login(input: $input) { accessToken refreshToken } }"""
LOGOUT = "mutation($input: LogoutInput!) { logout(input: $input) { userErrors { message } } }"
REFRESH = "mutation($input: RefreshTokenInput!) { refreshToken(input: $input) { accessToken } }"


async def last_event(url: str, token: str) -> tuple[Any, float]:
    """The payload of the last event of a stream of events, and when it came."""
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client,
        client.stream("POST", f"{url}/graphql", json={"query": FOLLOW}, headers=headers) as answer,
    ):
        said = [line async for line in answer.aiter_lines()]
    payloads = [json.loads(line[6:]) for line in said if line.startswith("data: {")]
    return payloads[-1], asyncio.get_running_loop().time()


def expiring(api: Api, ring: KeyRing, seconds: float) -> str:
    """Another token of the same login, good for so long."""
    assert api.token is not None
    assert api.user_id is not None
    session_id = jwt.decode(api.token, options={"verify_signature": False})["sid"]
    issued = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds) - dt.timedelta(minutes=10)
    tokens = AccessTokens(ring, "graphfolio", "graphfolio")
    return tokens.issue(parse_global_id(api.user_id)[1], session_id, issued)[0]


async def test_with_its_token(register: Callable[[], Api], ring: KeyRing) -> None:
    api = await asyncio.to_thread(register)
    loop = asyncio.get_running_loop()
    token = expiring(api, ring, 3)
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]
    over = loop.time() + expires - dt.datetime.now(dt.UTC).timestamp()
    events = asyncio.create_task(last_event(api.url, token))
    async with following(api.url, token, FOLLOW) as stream:
        assert await stream.closing() == (4403, "Token expired")
        assert -0.1 < loop.time() - over
    payload, at = await events
    assert payload == {"errors": [{"message": "Token expired", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert -0.1 < at - over


async def _logged_in(api: Api) -> tuple[str, str]:
    given = {"username": api.username, "password": PASSWORD}
    answer = (await asyncio.to_thread(api.data, LOGIN, input=given))["login"]
    return answer["accessToken"], answer["refreshToken"]


@pytest.mark.parametrize("how", ["logout", "deactivation", "reuse"])
async def test_with_its_login(register: Callable[[], Api], sessions: Sessions, how: str) -> None:
    """That of the one who leaves; another login of the same user goes on, unless the user is shut out."""
    api = await asyncio.to_thread(register)
    token, refresh = await _logged_in(api)
    other, _ = await _logged_in(api)
    events = asyncio.create_task(last_event(api.url, token))
    async with following(api.url, token, FOLLOW) as stream, following(api.url, other, FOLLOW, True) as second:
        given = {"refreshToken": refresh}
        if how == "logout":
            await asyncio.to_thread(api.data, LOGOUT, input=given)
        elif how == "deactivation":
            assert api.username is not None
            await set_active(sessions, api.username, False)
        else:
            for _ in range(2):
                await asyncio.to_thread(api.data, REFRESH, input=given)
        assert await stream.closing() == (4403, "Login ended")
        payload, _ = await events
        assert payload["errors"][0]["message"] == "Login ended"
        if how == "deactivation":
            assert await second.closing() == (4403, "Login ended")
        else:
            assert await second.is_silent(1.5)


async def test_after_the_end_nothing_is_told(recipient: Callable[[], Recipient]) -> None:
    someone = await asyncio.to_thread(recipient)
    assert someone.api.username is not None
    async with following(someone.api.url, someone.api.token, FOLLOW, True) as stream:
        await set_active(someone.sessions, someone.api.username, False)
        await asyncio.sleep(1)
        await someone.alert()
        # The event itself asks who is there, before any look at the counters could have closed the socket.
        assert await stream.closing() == (4403, "Login ended")
