"""The application around the endpoint: the supervisor's questions, other pages, other origins."""

import logging

import httpx
import pytest
from graphql import build_schema as parse_schema
from starlette.types import Receive, Scope, Send

from graph.server.app import build_app
from graph.server.envelope import Envelope
from runtime.services import Readiness
from tests.graph.server.served import Served, TinyContext, schema, serve_tiny
from tests.http import loopback


def test_health_and_readiness_need_no_login(tiny: Served) -> None:
    health = loopback.get(tiny.url + "/health")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    ready = loopback.get(tiny.url + "/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "degraded": []})
    assert ready.headers["cache-control"] == "no-store"


def test_a_server_that_is_not_ready_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def not_ready() -> Readiness:
        return Readiness(False, ("database", "ticker"))

    async def broken() -> Readiness:
        raise ConnectionError("a secret cause")

    for ready, degraded in ((not_ready, ["database", "ticker"]), (broken, [])):
        with serve_tiny(ready=ready) as served:
            answer = loopback.get(served.url + "/ready")
            body = {"status": "unavailable", "degraded": degraded}
            assert (answer.status_code, answer.json()) == (503, body)
            assert loopback.get(served.url + "/ready").status_code == 503
            assert loopback.get(served.url + "/health").json() == {"status": "ok"}
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "The check of readiness does not work: ConnectionError: a secret cause"
    ]


async def test_what_is_degraded_is_named_to_this_machine_only() -> None:
    async def degraded() -> Readiness:
        return Readiness(True, ("scheduler",))

    named, unnamed = {"status": "ready", "degraded": ["scheduler"]}, {"status": "ready"}
    app = build_app(schema=schema, open_context=TinyContext, ready=degraded)
    for address, headers, expected in (
        ("127.0.0.1", {}, named),
        ("127.8.9.10", {}, named),
        ("::1", {}, named),
        ("::ffff:127.0.0.1", {}, named),
        ("10.0.0.7", {}, unnamed),
        ("2001:db8::1", {}, unnamed),
        ("a-socket", {}, unnamed),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, unnamed),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, unnamed),
        ("127.0.0.1", {"x-real-ip": "127.0.0.1"}, unnamed),
        ("127.0.0.1", {"via": "1.1 proxy"}, unnamed),
    ):
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            answer = await client.get("/ready", headers=headers)
        assert (answer.status_code, answer.json()) == (200, expected), (address, headers)


def test_the_root_leads_to_the_explorer(tiny: Served) -> None:
    answer = loopback.get(tiny.url + "/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/graphiql")


def test_the_schema_is_a_page(tiny: Served) -> None:
    answer = httpx.get(tiny.url + "/schema.graphql")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    names = set(parse_schema(answer.text).type_map)
    assert {"Query", "Mutation", "Subscription"} <= names
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = httpx.get(tiny.url + "/schema.graphql", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for unknown in ('"other"', "", tag[1:-1]):
        again = httpx.get(tiny.url + "/schema.graphql", headers={"if-none-match": unknown})
        assert (again.status_code, again.text) == (200, answer.text)
    head = httpx.head(tiny.url + "/schema.graphql")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert httpx.post(tiny.url + "/schema.graphql").status_code == 405


def test_a_page_that_there_is_not_is_a_coded_error(tiny: Served) -> None:
    answer = loopback.get(tiny.url + "/nothing", headers={"x-request-id": "request-3"})
    assert answer.status_code == 404
    assert answer.json() == {"errors": [{"message": "Not Found.", "extensions": {"code": "BAD_USER_INPUT"}}]}
    assert answer.headers["x-request-id"] == "request-3"
    answer = loopback.post(tiny.url + "/health")
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


def test_a_context_that_cannot_be_opened_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    def broken(token: str | None, client: object) -> object:
        raise RuntimeError("a secret cause")

    with serve_tiny(open_context=broken) as served:
        headers = {"accept": "application/graphql-response+json", "x-request-id": "request-4"}
        answer = loopback.post(served.url + "/graphql", json={"query": "{ hello }"}, headers=headers)
    assert answer.status_code == 500
    assert answer.json() == {
        "errors": [
            {
                "message": "Internal error.",
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-4"},
            }
        ]
    }
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "Request request-4 failed."
    ]


async def test_whatever_fails_further_in_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret cause")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(Envelope(broken))) as client:
        answer = await client.get("http://server/", headers={"x-request-id": "request-7"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "request-7")
    assert answer.json()["errors"][0]["extensions"] == {
        "code": "INTERNAL_SERVER_ERROR",
        "requestId": "request-7",
    }
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "Request request-7 failed."
    ]


def test_pages_of_allowed_origins_may_call() -> None:
    preflight = {"origin": "https://app.example", "access-control-request-method": "POST"}
    with serve_tiny(allowed_origins=["https://app.example"]) as served:
        answer = httpx.options(served.url + "/graphql", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers
        assert "x-graphfolio-cost" in answer.headers["access-control-allow-headers"]
        assert "x-device-token" in answer.headers["access-control-allow-headers"].split(", ")
        origin = {"origin": "https://app.example"}
        answer = httpx.post(served.url + "/graphql", json={"query": "{ hello }"}, headers=origin)
        assert answer.headers["access-control-expose-headers"] == "x-request-id, x-device-token"
        answer = httpx.options(
            served.url + "/graphql", headers={**preflight, "origin": "https://evil.example"}
        )
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers


def test_no_other_origin_is_told_that_it_may_call(tiny: Served) -> None:
    headers = {"origin": "https://evil.example"}
    answer = loopback.post(tiny.url + "/graphql", json={"query": "{ hello }"}, headers=headers)
    assert "access-control-allow-origin" not in answer.headers
