"""Server-sent events: queries, mutations and subscriptions in the protocol graphql-sse."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.graph.server.served import Served, serve_tiny

EVENTS = {"accept": "text/event-stream"}


def events(served: Served, query: str, **headers: str) -> list[tuple[str, Any]]:
    """Run an operation to the end of its stream; return its events, without their `extensions`."""
    answer = httpx.post(served.url + "/graphql", json={"query": query}, headers={**EVENTS, **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    found = []
    for block in answer.text.removesuffix("\r\n\r\n").split("\r\n\r\n"):
        event, data = block.split("\r\n")
        payload = json.loads(data.removeprefix("data: ")) if data != "data: " else None
        if payload:
            payload.pop("extensions", None)
        found.append((event.removeprefix("event: "), payload))
    return found


def test_each_kind_of_operation_streams(tiny: Served) -> None:
    assert events(tiny, "{ hello }") == [("next", {"data": {"hello": "Hello, world!"}}), ("complete", None)]
    logout = 'mutation { logout(input: {refreshToken: "x"}) { userErrors { code } } }'
    assert events(tiny, logout) == [("next", {"data": {"logout": {"userErrors": []}}}), ("complete", None)]
    before = len(tiny.opened)
    assert events(tiny, "subscription { count(to: 3) }") == [
        ("next", {"data": {"count": 1}}),
        ("next", {"data": {"count": 2}}),
        ("next", {"data": {"count": 3}}),
        ("complete", None),
    ]
    assert [context.closings for context in tiny.opened[before:]] == [1]


def test_an_error_is_an_event_of_the_stream(tiny: Served) -> None:
    (kind, payload), end = events(tiny, "subscription { nothing }")
    assert (kind, end) == ("next", ("complete", None))
    assert payload["errors"][0]["message"] == "Cannot query field 'nothing' on type 'Subscription'."
    assert payload["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize(
    "query", ["subscription { broken }", "subscription { count(to: 1) again: count(to: 1) }"]
)
def test_a_stream_that_fails_says_nothing_of_the_cause(tiny: Served, query: str) -> None:
    *_, (kind, payload), end = events(tiny, query)
    assert (kind, end) == ("next", ("complete", None))
    assert payload["errors"][0]["extensions"]["code"] in ("INTERNAL_SERVER_ERROR", "BAD_USER_INPUT")
    assert "secret" not in json.dumps(payload)


def test_a_request_that_holds_no_operation_is_plain_json(tiny: Served) -> None:
    answer = httpx.post(tiny.url + "/graphql", json={}, headers=EVENTS)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


def test_a_stream_needs_a_good_login_and_ends_with_it(tiny: Served) -> None:
    endless = "subscription { count(to: 1000, every: 0.15) }"
    ((kind, payload), end) = events(tiny, endless, authorization="Bearer bad")
    assert (kind, end) == ("next", ("complete", None))
    assert payload == {
        "errors": [{"message": "The token is not good.", "extensions": {"code": "UNAUTHENTICATED"}}]
    }
    before = len(tiny.opened)
    started = time.perf_counter()
    *numbers, last, end = events(tiny, endless, authorization="Bearer short")
    assert 0.3 < time.perf_counter() - started < 2
    assert 1 <= len(numbers) <= 3
    assert last[1] == {"errors": [{"message": "Token expired", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert end == ("complete", None)
    assert [context.closings for context in tiny.opened[before:]] == [1, 1]


def test_a_stream_ends_when_its_login_is_ended(tiny: Served) -> None:
    before = len(tiny.opened)
    endless = "subscription { count(to: 1000, every: 0.15) }"
    *numbers, last, end = events(tiny, endless, authorization="Bearer good-for-a-moment")
    assert 1 <= len(numbers) <= 3
    assert last[1] == {"errors": [{"message": "Login ended", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert end == ("complete", None)
    assert [context.closings for context in tiny.opened[before:]] == [1, 1]


def test_a_client_that_goes_ends_its_stream(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    before = len(tiny.opened)
    query = {"query": "subscription { count(to: 1000, every: 0.02) }"}
    with httpx.stream("POST", tiny.url + "/graphql", json=query, headers=EVENTS) as answer:
        assert next(answer.iter_lines()) == "event: next"
    (context,) = tiny.opened[before:]
    deadline = time.monotonic() + 3
    while context.closings == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert context.closings == 1
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_an_operation_that_takes_too_long_is_ended() -> None:
    with serve_tiny(operation_timeout_seconds=0.1) as served:
        assert events(served, "{ slow(seconds: 5) }") == [
            (
                "next",
                {
                    "errors": [
                        {
                            "message": "The operation took longer than 0.1 seconds.",
                            "extensions": {"code": "TIMEOUT"},
                        }
                    ]
                },
            ),
            ("complete", None),
        ]
