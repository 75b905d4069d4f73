"""Server-sent events: queries, mutations and subscriptions in the protocol graphql-sse."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.graph.server.served import Served, serve_tiny
from tests.http import loopback
from tests.waiting import soon

EVENTS = {"accept": "text/event-stream"}
ENDLESS = "subscription { count(to: 100000, every: 0.05) }"


def events(served: Served, query: str, **headers: str) -> list[tuple[str, Any]]:
    """Run an operation to the end of its stream; return its events, without their `extensions`."""
    return list(following(served, query, **headers))


def following(served: Served, query: str, **headers: str) -> Iterator[tuple[str, Any]]:
    """Run an operation; yield each event when it comes, without its `extensions`."""
    asked = {"json": {"query": query}, "headers": {**EVENTS, **headers}}
    with loopback.stream("POST", served.url + "/graphql", **asked) as answer:  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        lines = answer.iter_lines()
        for event in lines:
            data, end = next(lines), next(lines)
            assert end == ""
            payload = json.loads(data.removeprefix("data: ")) if data != "data: " else None
            if payload:
                payload.pop("extensions", None)
            yield event.removeprefix("event: "), payload


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
    answer = loopback.post(tiny.url + "/graphql", json={}, headers=EVENTS)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


def test_a_stream_needs_a_good_login_and_ends_with_it(tiny: Served) -> None:
    ((kind, payload), end) = events(tiny, ENDLESS, authorization="Bearer bad")
    assert (kind, end) == ("next", ("complete", None))
    assert payload == {
        "errors": [{"message": "The token is not good.", "extensions": {"code": "UNAUTHENTICATED"}}]
    }
    # A busy machine may need longer than the shortest before anything is sent.
    for seconds in (0.4, 2, 10, 60):
        before = len(tiny.opened)
        *numbers, last, end = events(tiny, ENDLESS, authorization=f"Bearer short-{seconds}")
        ended = datetime.now(UTC)
        if numbers:
            break
    assert_counted(numbers)
    assert last[1] == {"errors": [{"message": "Token expired", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert end == ("complete", None)
    watching, streaming = tiny.opened[before:]
    assert watching.expires_at is not None
    assert ended >= watching.expires_at
    assert soon(lambda: [watching.closings, streaming.closings] == [1, 1])


def test_a_stream_ends_when_its_login_is_ended(tiny: Served) -> None:
    before = len(tiny.opened)
    told = following(tiny, ENDLESS, authorization="Bearer good-for-a-moment")
    first = next(told)
    tiny.signals.logins_ended.set()
    *numbers, last, end = told
    tiny.signals.logins_ended.clear()
    assert_counted([first, *numbers])
    assert last[1] == {"errors": [{"message": "Login ended", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert end == ("complete", None)
    assert soon(lambda: [context.closings for context in tiny.opened[before:]] == [1, 1])


def assert_counted(told: list[tuple[str, Any]]) -> None:
    """From one on, and by far not to the end."""
    assert told == [("next", {"data": {"count": number}}) for number in range(1, len(told) + 1)]
    assert 1 <= len(told) < 100_000


def test_a_client_that_goes_ends_its_stream(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    before = len(tiny.opened)
    query = {"query": "subscription { count(to: 1000, every: 0.02) }"}
    with loopback.stream("POST", tiny.url + "/graphql", json=query, headers=EVENTS) as answer:
        assert next(answer.iter_lines()) == "event: next"
    (context,) = tiny.opened[before:]
    assert soon(lambda: context.closings == 1)
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
