"""The protocol graphql-transport-ws, message by message, and how each broken rule closes the socket."""

import asyncio
import contextlib
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.faults.waiting import until
from tests.graph.server.served import Served, TinyContext, serve_tiny
from tests.waiting import PATIENCE

PROTOCOL = Subprotocol("graphql-transport-ws")
ANYTHING: Any = object()
ENDLESS = "subscription { count(to: 100000, every: 0.02) }"


def open_socket(served: Served, **settings: Any) -> connect:
    return connect(served.socket_url, subprotocols=[PROTOCOL], proxy=None, **settings)


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def receive(socket: ClientConnection) -> Any:
    text = await asyncio.wait_for(socket.recv(), PATIENCE)
    assert isinstance(text, str)
    return json.loads(text)


async def initialise(socket: ClientConnection, **payload: Any) -> None:
    await send(socket, type="connection_init", payload=payload)
    assert await receive(socket) == {"type": "connection_ack"}


async def subscribe(socket: ClientConnection, id_: str, query: str, **more: Any) -> None:
    await send(socket, id=id_, type="subscribe", payload={"query": query, **more})


async def closing(socket: ClientConnection) -> tuple[int, str]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(socket.recv(), PATIENCE)
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def closed(opened: list[TinyContext], number: int) -> None:
    """Wait until there are so many contexts, each closed once."""

    async def all_are() -> bool:
        return [context.closings for context in opened] == [1] * number

    await until(all_are, PATIENCE)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_one_that_has_much_to_tell_lets_the_others_speak(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        # In one piece, so that the second message is there when the first begins to be answered.
        for id_, query in (("much", "subscription { flood(size: 1) }"), ("little", "{ hello }")):
            message = {"id": id_, "type": "subscribe", "payload": {"query": query}}
            socket.protocol.send_text(json.dumps(message).encode())
        socket.transport.write(b"".join(socket.protocol.data_to_send()))
        told = 0
        while (await receive(socket))["id"] == "much":
            told += 1
    # Without turns it would fill every buffer first.
    assert told < 500


async def test_an_answer_shows_its_cost_if_it_is_asked_for(tiny: Served) -> None:
    async with open_socket(tiny) as plain, open_socket(tiny) as explaining:
        await initialise(plain)
        await initialise(explaining, **{"x-graphfolio-cost": "1"})
        await subscribe(plain, "1", "{ hello }")
        assert await receive(plain) == {
            "id": "1",
            "type": "next",
            "payload": {"data": {"hello": "Hello, world!"}},
        }
        assert (await receive(plain))["type"] == "complete"
        await subscribe(plain, "2", "{ hello }", extensions={"cost": True})
        await subscribe(explaining, "2", "subscription { count(to: 1) }")
        for socket in (plain, explaining):
            assert (await receive(socket))["payload"]["extensions"]["cost"]["cost"] == 1


async def test_queries_mutations_and_subscriptions_run(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await subscribe(socket, "1", "query ($n: Int!) { add(number: $n) }", variables={"n": 41})
        assert await receive(socket) == {"id": "1", "type": "next", "payload": {"data": {"add": 42}}}
        assert await receive(socket) == {"id": "1", "type": "complete"}
        await subscribe(
            socket, "1", 'mutation { logout(input: {refreshToken: "x"}) { userErrors { code } } }'
        )
        payload: Any = {"data": {"logout": {"userErrors": []}}}
        assert await receive(socket) == {"id": "1", "type": "next", "payload": payload}
        assert await receive(socket) == {"id": "1", "type": "complete"}
        await subscribe(socket, 'ö"\n', "subscription { count(to: 2) }")
        for number in (1, 2):
            payload = {"data": {"count": number}}
            assert await receive(socket) == {"id": 'ö"\n', "type": "next", "payload": payload}
        assert await receive(socket) == {"id": 'ö"\n', "type": "complete"}
        await send(socket, type="ping", payload={"x": 1})
        assert await receive(socket) == {"type": "pong"}
        await send(socket, type="pong")
        await send(socket, type="complete", id="unknown")
        await subscribe(socket, "2", "{ hello }")
        assert (await receive(socket))["payload"] == {"data": {"hello": "Hello, world!"}}


async def test_each_operation_has_a_context_of_its_own_with_the_sockets_token(tiny: Served) -> None:
    before = len(tiny.opened)
    for key in ("authorization", "Authorization"):
        async with open_socket(tiny) as socket:
            await initialise(socket, **{key: "Bearer good"})
            for id_ in ("1", "2"):
                await subscribe(socket, id_, "{ me { username } client }")
                data = (await receive(socket))["payload"]["data"]
                assert data["me"] == {"username": "viewer"}
                assert data["client"][2].endswith(f".{id_}")
                await receive(socket)
    opened = tiny.opened[before:]
    # Besides the two operations of each socket, one that has checked the login and watches it.
    assert [context.token for context in opened] == ["good"] * 6
    assert len({id(context) for context in opened}) == 6
    await closed(opened, 6)


async def test_an_error_before_execution_ends_the_operation_only(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        for query in ("{", "{ nothing }", "subscription { nothing }", "query A { hello } query B { hello }"):
            await subscribe(socket, "1", query)
            message = await receive(socket)
            assert (message["id"], message["type"]) == ("1", "error")
            assert [error["extensions"]["code"] for error in message["payload"]] == ["BAD_USER_INPUT"]
        await subscribe(socket, "1", "{ hello }")
        assert (await receive(socket))["type"] == "next"


async def test_a_surprise_in_a_stream_is_masked(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(tiny, additional_headers={"x-request-id": "request-5"}) as socket:
        await initialise(socket)
        await subscribe(socket, "1", "subscription { broken }")
        assert (await receive(socket))["payload"] == {"data": {"broken": 1}}
        error = await receive(socket)
    assert error == {
        "id": "1",
        "type": "error",
        "payload": [
            {
                "message": "Internal error.",
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-5.1"},
            }
        ],
    }
    assert complaints(caplog) == ["Request request-5.1 failed at ''."]


async def test_a_bad_token_closes(tiny: Served) -> None:
    for value, reason in (
        ("Bearer bad", "The token is not good."),
        ("Basic x", 'The authorization must be "Bearer" and an access token.'),
        (7, 'The authorization must be "Bearer" and an access token.'),
    ):
        async with open_socket(tiny) as socket:
            await send(socket, type="connection_init", payload={"authorization": value})
            assert await closing(socket) == (4403, reason)


async def test_a_login_check_that_fails_is_masked(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(tiny, additional_headers={"x-request-id": "request-6"}) as socket:
        await send(socket, type="connection_init", payload={"authorization": "Bearer broken"})
        assert await closing(socket) == (1011, "Internal error")
    assert complaints(caplog) == ["Request request-6 failed."]
    assert tiny.opened[-1].closings == 1


async def test_the_socket_closes_when_its_token_expires(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket, authorization="Bearer short-0.4")
        watching = tiny.opened[-1]
        await subscribe(socket, "1", ENDLESS)
        assert await closing(socket) == (4403, "Token expired")
        assert watching.expires_at is not None
        assert datetime.now(UTC) >= watching.expires_at
    await closed(tiny.opened[-1:], 1)


async def test_the_socket_closes_when_its_login_is_ended(tiny: Served) -> None:
    before = len(tiny.opened)
    async with open_socket(tiny) as socket:
        await initialise(socket, authorization="Bearer good-for-a-moment")
        await subscribe(socket, "1", ENDLESS)
        assert (await receive(socket))["payload"] == {"data": {"count": 1}}
        tiny.signals.logins_ended.set()
        assert await closing(socket) == (4403, "Login ended")
    tiny.signals.logins_ended.clear()
    await closed(tiny.opened[before:], 2)


async def test_without_an_init_the_socket_closes() -> None:
    with serve_tiny(init_timeout_seconds=0.1) as served:
        async with open_socket(served) as socket:
            assert await closing(socket) == (4408, "Connection initialisation timeout")


async def test_after_an_init_nothing_is_waited_for() -> None:
    # A busy machine may be too late for the shortest.
    for seconds in (0.2, 2, 20):
        with serve_tiny(init_timeout_seconds=seconds) as served:
            async with open_socket(served) as socket:
                with contextlib.suppress(ConnectionClosed):
                    await initialise(socket)
                    await asyncio.sleep(1.5 * seconds)
                    await subscribe(socket, "1", "{ hello }")
                    assert (await receive(socket))["type"] == "next"
                    return
                assert (socket.close_code, seconds) in ((4408, 0.2), (4408, 2))


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("{", 4400, "A message must be JSON"),
        ("", 4400, "A message must be JSON"),
        ("7", 4400, "A message must be an object with a type"),
        ("[]", 4400, "A message must be an object with a type"),
        ("{}", 4400, "A message must be an object with a type"),
        ('{"type": 7}', 4400, "A message must be an object with a type"),
        ('{"type": ["ping"]}', 4400, "A message must be an object with a type"),
        ("[" * 10_000, 4400, "A message must be JSON"),
        (b'{"type": "ping"}', 4400, "A message must be text"),
        ('{"type": "start"}', 4400, "The type of the message is unknown"),
        ('{"type": "connection_init"}', 4429, "Too many initialisation requests"),
        ('{"type": "complete"}', 4400, "The message has no id"),
        ('{"type": "complete", "id": {}}', 4400, "The message has no id"),
        ('{"type": "subscribe", "payload": {"query": "{ hello }"}}', 4400, "The message has no id"),
        (
            '{"type": "subscribe", "id": ["1"], "payload": {"query": "{ hello }"}}',
            4400,
            "The message has no id",
        ),
        ('{"type": "subscribe", "id": "1"}', 4400, "A request is a JSON object with a query."),
        ('{"type": "subscribe", "id": "1", "payload": []}', 4400, "A request is a JSON object with a query."),
        ('{"type": "subscribe", "id": "1", "payload": {}}', 4400, "The request has no query."),
        (
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": 7}}',
            4400,
            "The variables must be an object or null.",
        ),
        ('{"type": "ping", "x": "' + "x" * 65_536 + '"}', 1009, "The message is too large"),
        ('{"type": "ping", "x": "' + "x" * 90_000 + '"}', 1009, ANYTHING),
    ],
)
async def test_a_malformed_message_closes(
    tiny: Served, caplog: pytest.LogCaptureFixture, message: str | bytes, code: int, reason: str
) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await socket.send(message)
        closed = await closing(socket)
    assert closed[0] == code
    assert reason is ANYTHING or closed[1] == reason
    assert complaints(caplog) == []


async def test_before_the_init_there_is_little_to_say(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await send(socket, type="ping")
        assert await receive(socket) == {"type": "pong"}
        await subscribe(socket, "1", "{ hello }")
        assert await closing(socket) == (4401, "Unauthorized")
    async with open_socket(tiny) as socket:
        await send(socket, type="connection_init", payload=[])
        assert await closing(socket) == (4400, "Invalid connection_init payload")
    async with open_socket(tiny) as socket:
        await send(socket, type="connection_init", payload=None)
        assert await receive(socket) == {"type": "connection_ack"}


async def test_an_id_is_used_once_at_a_time(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await subscribe(socket, "1", "{ slow(seconds: 5) }")
        await subscribe(socket, "1", "{ hello }")
        assert await closing(socket) == (4409, "Subscriber for 1 already exists")


async def test_a_completed_operation_is_cancelled_and_its_id_is_free(tiny: Served) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await subscribe(socket, "1", ENDLESS)
        assert (await receive(socket))["payload"] == {"data": {"count": 1}}
        cancelled = tiny.opened[-1]
        await send(socket, id="1", type="complete")
        await subscribe(socket, "1", "{ hello }")
        while (message := await receive(socket))["payload"]["data"].get("hello") is None:
            assert message["type"] == "next"
        assert await receive(socket) == {"id": "1", "type": "complete"}
        await closed([cancelled], 1)


async def test_one_socket_runs_so_many_operations_at_a_time() -> None:
    with serve_tiny(max_operations_per_socket=2) as served:
        async with open_socket(served) as socket:
            await initialise(socket)
            for id_ in ("1", "2", "3"):
                await subscribe(socket, id_, "{ held }")
            assert await receive(socket) == {
                "id": "3",
                "type": "error",
                "payload": [
                    {
                        "message": "One connection runs at most 2 operations at a time.",
                        "extensions": {"code": "THROTTLED"},
                    }
                ],
            }
            served.signals.go_on.set()
            assert {(await receive(socket))["type"] for _ in range(4)} == {"next", "complete"}
            await subscribe(socket, "3", "{ hello }")
            assert (await receive(socket))["type"] == "next"


async def test_an_operation_that_takes_too_long_is_ended() -> None:
    with serve_tiny(operation_timeout_seconds=0.1) as served:
        async with open_socket(served) as socket:
            await initialise(socket)
            await subscribe(socket, "1", "{ slow(seconds: 5) }")
            assert (await receive(socket))["payload"][0]["extensions"] == {"code": "TIMEOUT"}
            await subscribe(socket, "1", "subscription { count(to: 2, every: 0.2) }")
            assert (await receive(socket))["payload"] == {"data": {"count": 1}}


@pytest.mark.parametrize("offered", [None, ["graphql-ws"], ["other"]])
async def test_another_subprotocol_is_not_spoken(tiny: Served, offered: list[Subprotocol] | None) -> None:
    async with connect(tiny.socket_url, subprotocols=offered, proxy=None) as socket:
        assert await closing(socket) == (4406, "Subprotocol not acceptable")


async def test_a_page_of_another_origin_is_refused(tiny: Served) -> None:
    own = tiny.url
    async with open_socket(tiny, additional_headers={"origin": own}) as socket:
        await initialise(socket)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await open_socket(tiny, additional_headers={"origin": origin})
        assert refused.value.response.status_code == 403
    with serve_tiny(allowed_origins=["https://app.example"]) as served:
        async with open_socket(served, additional_headers={"origin": "https://app.example"}) as socket:
            await initialise(socket)
        with pytest.raises(InvalidStatus):
            await open_socket(served, additional_headers={"origin": "https://evil.example"})


async def test_a_client_that_goes_ends_its_operations(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        before = len(tiny.opened)
        for id_ in ("1", "2", "3"):
            await subscribe(socket, id_, ENDLESS)
        for _ in range(3):
            await receive(socket)
        socket.transport.abort()
    await closed(tiny.opened[before:], 3)
    assert complaints(caplog) == []
