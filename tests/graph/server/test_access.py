"""One line an operation: what it was, how it went and what it cost, and nothing that anybody sent."""

import asyncio
import json
import logging
from typing import Any

import pytest
from graphql import GraphQLError

from graph.server.errors import present
from tests.faults.waiting import until
from tests.graph.server.served import Served, serve_tiny
from tests.graph.server.test_websocket import initialise, open_socket, receive, send, subscribe
from tests.http import loopback
from tests.waiting import PATIENCE, soon

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "graphfolio")


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line, without its duration."""
    names = ("operation", "kind", "status", "cost", "statements", "events", "codes", "request_id", "user_id")
    found = []
    for record in caplog.records:
        if record.getMessage() == "operation":
            fields = {name: vars(record)[name] for name in names if name in vars(record)}
            assert 0 <= vars(record)["duration_ms"] < PATIENCE * 1000
            found.append(fields)
    return found


def ask(served: Served, query: str, **more: Any) -> int:
    headers = {
        "authorization": f"Bearer good {SECRET}".replace(" h", "-h"),
        "x-request-id": "request-1",
        "accept": "application/graphql-response+json",
        **more.pop("headers", {}),
    }
    return loopback.post(served.url + "/graphql", json={"query": query, **more}, headers=headers).status_code


COMMON = {"statements": 0, "request_id": "request-1", "user_id": None}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            {"query": "query Hi($name: String!) { hello(name: $name) }", "variables": {"name": SECRET}},
            {"operation": "Hi", "kind": "query", "status": 200, "cost": 1},
        ),
        (
            {"query": "{ a: hello b: hello }"},
            {"operation": None, "kind": "query", "status": 200, "cost": 2},
        ),
        (
            {"query": "query A { hello } query B { add(number: 1) }", "operationName": "B"},
            {"operation": "B", "kind": "query", "status": 200, "cost": 1},
        ),
        (
            {
                "query": "mutation In($it: LoginInput!) { login(input: $it) { accessToken } }",
                "variables": {"it": {"username": SECRET, "password": SECRET}},
            },
            {"operation": "In", "kind": "mutation", "status": 200, "cost": 20_001},
        ),
        (
            {"query": "{ crash coded }"},
            {
                "operation": None,
                "kind": "query",
                "status": 200,
                "cost": 2,
                "codes": ["INTERNAL_SERVER_ERROR", "BAD_USER_INPUT"],
            },
        ),
        (
            {"query": f'{{ hello(name: "{SECRET}") nothing }}', "operationName": SECRET},
            {"operation": None, "kind": None, "status": 400, "cost": None, "codes": ["BAD_USER_INPUT"]},
        ),
        (
            {"query": f"{{ {SECRET} "},
            {"operation": None, "kind": None, "status": 400, "cost": None, "codes": ["BAD_USER_INPUT"]},
        ),
        (
            {"query": "{ private }"},
            {
                "operation": None,
                "kind": "query",
                "status": 200,
                "cost": 1,
                "codes": ["UNAUTHENTICATED"],
            },
        ),
    ],
)
def test_each_operation_is_a_line(
    tiny: Served, caplog: pytest.LogCaptureFixture, request_: dict[str, Any], expected: dict[str, Any]
) -> None:
    ask(tiny, **request_)
    assert soon(lambda: told(caplog) != [])
    assert told(caplog) == [{**COMMON, **expected}]
    everything = [str(vars(record)) for record in caplog.records if record.name.startswith("graphfolio")]
    assert not any(SECRET in line for line in everything)


def test_a_request_without_an_operation(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"x-request-id": "request-1", "content-type": "text/plain"}
    loopback.post(tiny.url + "/graphql", content=SECRET.encode(), headers=headers)
    ask(tiny, "{ hello }", headers={"authorization": SECRET})
    found = [vars(record) for record in caplog.records if record.getMessage() == "request refused"]
    assert [(line["status"], line["codes"], line["request_id"]) for line in found] == [
        (415, ["BAD_USER_INPUT"], "request-1"),
        (401, ["UNAUTHENTICATED"], "request-1"),
    ]
    assert SECRET not in str(found)
    assert told(caplog) == []


def test_a_name_is_cut(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    ask(tiny, f"query {'x' * 5000} {{ hello }}")
    assert soon(lambda: told(caplog) != [])
    assert told(caplog)[0]["operation"] == "x" * 100


def test_too_slow(caplog: pytest.LogCaptureFixture) -> None:
    with serve_tiny(operation_timeout_seconds=0.05) as served:
        ask(served, "query Slow { slow(seconds: 100) }")
    (line,) = told(caplog)
    assert (line["operation"], line["status"], line["codes"]) == ("Slow", 504, ["TIMEOUT"])


async def test_a_stream_is_a_line_at_its_end(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await subscribe(socket, "1", "subscription Count($to: Int!) { count(to: $to) }", variables={"to": 3})
        for _ in range(3):
            assert (await receive(socket))["type"] == "next"
        assert (await receive(socket))["type"] == "complete"
        await subscribe(socket, "2", "subscription { count(to: 1000, every: 0.01) }")
        await receive(socket)
        await receive(socket)
        await send(socket, type="complete", id="2")

        async def ended() -> bool:
            return len(told(caplog)) == 2

        await until(ended, PATIENCE)
    first, second = told(caplog)
    assert first.pop("request_id").endswith(".1")
    expected = {"operation": "Count", "kind": "subscription", "status": 200, "cost": 1, "events": 3}
    assert first == {**expected, "statements": 0, "user_id": None}
    assert second["events"] >= 2
    assert second["request_id"].endswith(".2")


def test_server_sent_events(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    ask(tiny, "subscription { count(to: 2) }", headers={"accept": "text/event-stream"})
    ask(tiny, "{ hello }", headers={"accept": "text/event-stream"})
    assert soon(lambda: len(told(caplog)) == 2)
    first, second = told(caplog)
    assert (first["kind"], first["events"], first["request_id"]) == ("subscription", 2, "request-1")
    assert (second["kind"], second.get("events")) == ("query", None)


async def test_a_client_that_went(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(tiny) as socket:
        await initialise(socket)
        await subscribe(socket, "1", "query Slow { slow(seconds: 100) }")
        await asyncio.sleep(0.1)

    async def ended() -> bool:
        return len(told(caplog)) == 1

    await until(ended, PATIENCE)
    assert (told(caplog)[0]["operation"], told(caplog)[0]["status"]) == ("Slow", 499)


def test_a_batch_that_fails_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Every row of a loader's batch has the same error; the log has it once, and how many there were."""

    def failed() -> Exception:
        try:
            raise KeyError("a bug")
        except KeyError as error:
            return error

    one = failed()
    errors = [
        GraphQLError("it failed", path=["nodes", number, "price"], original_error=one)
        for number in range(20_000)
    ]
    # Each from a call of its own, but from one place in the code.
    errors += [GraphQLError("it failed", path=["nodes", 7], original_error=failed()) for _ in range(3)]
    shown = present(errors, "request-1")
    assert len(shown) == 20_003
    assert {json.dumps(error["extensions"]) for error in shown} == {
        '{"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}'
    }
    (record,) = caplog.records
    assert record.getMessage() == ("Request request-1 failed at 'nodes.0.price', and at 20002 other places.")
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


def test_an_outage_of_the_database_is_one_line_for_all_requests(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1000):
        error = GraphQLError("away", path=["me"], original_error=ConnectionRefusedError("gone"))
        (shown,) = present([error], f"request-{number}")
        assert shown["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    told = [record.getMessage() for record in caplog.records]
    assert told == ["Requests fail because the database is away: ConnectionRefusedError."]
