"""One POST, one answer: what a request must look like, and what comes back for one that does not."""

import json
import logging
import socket
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from graph.limits import STANDARD
from tests.graph.server.served import Served, serve_tiny
from tests.http import loopback
from tests.waiting import soon

JSON = {"content-type": "application/json"}
GRAPHQL_JSON = "application/graphql-response+json"


def post(served: Served, query: str, accept: str = GRAPHQL_JSON, **more: Any) -> httpx.Response:
    headers = {"accept": accept, **more.pop("headers", {})}
    return loopback.post(served.url + "/graphql", json={"query": query, **more}, headers=headers)


def errors(response: httpx.Response) -> list[tuple[str, str]]:
    assert response.headers["content-type"].endswith("json; charset=utf-8")
    assert "data" not in response.json()
    return [(error["extensions"]["code"], error["message"]) for error in response.json()["errors"]]


def test_an_answer_has_its_data_and_its_headers(tiny: Served) -> None:
    answer = post(tiny, "{ hello }", "application/json", headers={"x-request-id": "from-the-caller-1"})
    assert answer.status_code == 200
    assert answer.json() == {"data": {"hello": "Hello, world!"}}
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-request-id"] == "from-the-caller-1"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


COST = {
    "depth": 1,
    "fields": 1,
    "aliases": 0,
    "directives": 0,
    "rootFields": 1,
    "cost": 1,
    "size": 44,
    "introspectionCost": 0,
    "maximumCost": 500_000,
    "maximumSize": 16_000_000,
}


@pytest.mark.parametrize(
    ("header", "extensions", "is_shown"),
    [
        ("1", None, True),
        ("true", {}, True),
        (None, {"cost": True}, True),
        ("0", {"cost": False}, False),
        ("", {"cost": {}}, False),
        (None, None, False),
    ],
)
def test_an_answer_shows_its_cost_if_it_is_asked_for(
    tiny: Served, header: str | None, extensions: object, is_shown: bool
) -> None:
    headers = {} if header is None else {"x-graphfolio-cost": header}
    answer = post(tiny, "{ hello }", headers=headers, extensions=extensions).json()
    assert answer.get("extensions", {}).get("cost") == (COST if is_shown else None)


def test_an_answer_that_is_larger_than_it_may_be_is_refused() -> None:
    limits = replace(STANDARD, size=10_000)
    with serve_tiny(limits=limits) as served:
        # It is estimated as a short text, and found to be a long one when it is written.
        query = "query ($name: String!) { hello(name: $name) }"
        for length, status in ((9_900, 200), (10_000, 400)):
            answer = post(served, query, variables={"name": "x" * length})
            assert answer.status_code == status
        message = "The document is too complex: its answer size is 10029 bytes, the limit is 10000."
        assert errors(answer) == [("QUERY_TOO_COMPLEX", message)]
        pages = "{ me { positions(first: 500) { nodes { symbol quantity } } } }"
        message = "The document is too complex: its answer size is 27543 bytes, the limit is 10000."
        assert errors(post(served, pages)) == [("QUERY_TOO_COMPLEX", message)]
        assert served.opened[-1].closings == 1


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space!", "line\tbreak1"])
def test_an_id_that_could_forge_the_log_is_replaced(tiny: Served, given: str) -> None:
    answer = post(tiny, "{ hello }", headers={"x-request-id": given})
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"].isalnum()


def test_a_resolver_sees_who_is_calling(tiny: Served) -> None:
    headers = {"user-agent": "tester", "x-request-id": "request-1"}
    assert post(tiny, "{ client }", headers=headers).json()["data"] == {
        "client": ["127.0.0.1", "tester", "request-1"]
    }


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("application/*", "application/json; charset=utf-8"),
        ("", "application/json; charset=utf-8"),
        (GRAPHQL_JSON, f"{GRAPHQL_JSON}; charset=utf-8"),
        (f"{GRAPHQL_JSON}, application/json", f"{GRAPHQL_JSON}; charset=utf-8"),
        (f"application/json;q=0.9, {GRAPHQL_JSON};q=0.8", "application/json; charset=utf-8"),
        (f"application/json;q=0, {GRAPHQL_JSON};q=0.1", f"{GRAPHQL_JSON}; charset=utf-8"),
        ("text/html, application/json;charset=utf-8;q=0.1", "application/json; charset=utf-8"),
        ("text/event-stream", "text/event-stream"),
    ],
)
def test_the_answer_has_the_media_type_that_is_wanted(tiny: Served, accept: str, content_type: str) -> None:
    answer = post(tiny, "{ hello }", accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)


def test_a_media_type_that_there_is_not_is_refused(tiny: Served) -> None:
    answer = post(tiny, "{ hello }", "text/html")
    assert answer.status_code == 406
    assert [code for code, _ in errors(answer)] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_off(tiny: Served, method: str) -> None:
    answer = httpx.request(method, tiny.url + "/graphql", params={"query": "{ hello }"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    if method != "HEAD":
        assert errors(answer) == [("BAD_USER_INPUT", "The method must be POST.")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty: send a JSON object with a query."),
        (b" \n", "The body is empty: send a JSON object with a query."),
        (b"[]", "Batching is off: send one operation in a request."),
        (b'[{"query": "{ hello }"}]', "Batching is off: send one operation in a request."),
        (b"7", "A request is a JSON object with a query."),
        (b'"{ hello }"', "A request is a JSON object with a query."),
        (b"null", "A request is a JSON object with a query."),
        (b"{}", "The request has no query."),
        (b'{"query": null}', "The request has no query."),
        (b'{"query": 7}', "The query must be a string."),
        (b'{"query": ["{ hello }"]}', "The query must be a string."),
        (b'{"query": " "}', "The query is empty."),
        (b'{"query": "{ hello }", "variables": []}', "The variables must be an object or null."),
        (b'{"query": "{ hello }", "variables": "{}"}', "The variables must be an object or null."),
        (b'{"query": "{ hello }", "operationName": 1}', "The operationName must be a string or null."),
        (b'{"query": "{ hello }", "extensions": false}', "The extensions must be an object or null."),
    ],
)
def test_a_body_of_another_shape_is_refused(tiny: Served, body: bytes, message: str) -> None:
    answer = loopback.post(tiny.url + "/graphql", content=body, headers=JSON)
    assert answer.status_code == 400
    assert errors(answer) == [("BAD_USER_INPUT", message)]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"query": "\\ud800"}',
        b'{"query": "{ hello }", "variables": {"x": NaN}}',
        b"query=%7Bhello%7D",
        b"[" * 100_000,
        b'{"query": "{ hello }", "variables": ' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
    ],
)
def test_a_body_that_is_not_json_is_refused(tiny: Served, body: bytes) -> None:
    answer = loopback.post(tiny.url + "/graphql", content=body, headers=JSON)
    assert answer.status_code == 400
    ((code, message),) = errors(answer)
    assert code == "BAD_USER_INPUT"
    assert message.startswith("The body is not JSON: ")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
    ],
)
def test_another_content_type_is_refused(tiny: Served, content_type: str) -> None:
    body = b'{"query": "{ hello }"}'
    headers = {"content-type": content_type} if content_type else {}
    answer = loopback.post(tiny.url + "/graphql", content=body, headers=headers)
    assert answer.status_code == 415
    assert errors(answer) == [("BAD_USER_INPUT", "The content type must be application/json.")]


def test_another_charset_is_refused(tiny: Served) -> None:
    headers = {"content-type": "application/json; charset=iso-8859-1"}
    answer = loopback.post(tiny.url + "/graphql", content=b'{"query": "{ hello }"}', headers=headers)
    assert answer.status_code == 415
    assert errors(answer) == [("BAD_USER_INPUT", "The charset must be utf-8.")]


def test_a_huge_body_is_refused_by_its_length_and_while_it_comes(tiny: Served) -> None:
    huge = b'{"query": "' + b" " * 300_000 + b'{ hello }"}'
    expected = [("BAD_USER_INPUT", "The body is too large: the limit is 262144 bytes.")]
    answer = loopback.post(tiny.url + "/graphql", content=huge, headers=JSON)
    assert (answer.status_code, errors(answer)) == (413, expected)
    pieces = (huge[start : start + 10_000] for start in range(0, len(huge), 10_000))
    answer = loopback.post(tiny.url + "/graphql", content=pieces, headers=JSON)
    assert (answer.status_code, errors(answer)) == (413, expected)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("{", "BAD_USER_INPUT", "Syntax Error: Expected Name, found <EOF>."),
        ("{ hell }", "BAD_USER_INPUT", "Cannot query field 'hell' on type 'Query'."),
        (
            "{ add }",
            "BAD_USER_INPUT",
            "Argument 'Query.add(number:)' of type 'Int!' is required, but it was not provided.",
        ),
        ("fragment F on Query { hello }", "BAD_USER_INPUT", "The document has no operation of that name."),
        ("type A { b: Int }", "BAD_USER_INPUT", "The document has no operation of that name."),
        (
            "subscription { count(to: 1) }",
            "BAD_USER_INPUT",
            "A subscription cannot be run by this kind of request.",
        ),
        (
            "{ hello " * 10_000,
            "QUERY_TOO_COMPLEX",
            "Syntax Error: Document is nested too deeply. Parsing aborted.",
        ),
        (
            "{" + " hello" * 5_000 + "}",
            "QUERY_TOO_COMPLEX",
            "Syntax Error: Document contains more than 4000 tokens. Parsing aborted.",
        ),
        (
            "{" + "me { friend " * 1 + "{ friend" * 30 + "{ username }" + "}" * 32,
            "QUERY_TOO_COMPLEX",
            "The document is too complex: its depth is 33, the limit is 20.",
        ),
    ],
)
def test_a_document_that_cannot_run_says_why(tiny: Served, query: str, code: str, message: str) -> None:
    # Of this process, which is the server's too: a busy machine takes longer.
    started = time.process_time()
    answer = post(tiny, query)
    assert (answer.status_code, errors(answer)) == (400, [(code, message)])
    assert post(tiny, query, "application/json").status_code == 200
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Variable '$n' has invalid value: Expected a value of non-null type 'Int!' to be provided."),
        (
            {"n": None},
            "Variable '$n' has invalid value: Expected value of non-null type 'Int!' not to be None.",
        ),
        ({"n": "7"}, "Variable '$n' has invalid value: Int cannot represent non-integer value."),
        (
            {"n": 1, "s": "BUYS"},
            "Variable '$s' has invalid value: Value 'BUYS' does not exist in 'Side' enum.",
        ),
    ],
)
def test_variables_that_do_not_fit_say_why(tiny: Served, variables: dict[str, Any], message: str) -> None:
    query = "query ($n: Int!, $s: Side! = BUY) { add(number: $n, side: $s) }"
    answer = post(tiny, query, variables=variables)
    assert (answer.status_code, errors(answer)) == (400, [("BAD_USER_INPUT", message)])


def test_a_value_of_any_size_or_depth_is_refused_in_few_words(tiny: Served) -> None:
    nested: Any = 1
    for _ in range(900):
        nested = [nested]
    for value in (nested, {"a": nested}, "x" * 200_000, 10**30, 1e300, list(range(20_000))):
        answer = post(tiny, "query ($n: Int!) { add(number: $n) }", variables={"n": value})
        assert answer.status_code == 400
        ((code, message),) = errors(answer)
        assert code == "BAD_USER_INPUT"
        assert message.startswith("Variable '$n' has invalid value")
        assert len(message) <= 500


def test_an_operation_is_chosen_by_its_name(tiny: Served) -> None:
    query = "query A { a: hello } query B { b: hello }"
    assert post(tiny, query, operationName="B").json()["data"] == {"b": "Hello, world!"}
    for name, message in (
        ("C", "The document has no operation of that name."),
        ("", "The document has no operation of that name."),
        (None, "The document has several operations: name the one to run."),
    ):
        answer = post(tiny, query, operationName=name)
        assert (answer.status_code, errors(answer)) == (400, [("BAD_USER_INPUT", message)])


def test_a_surprise_is_masked_and_logged_once(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    for field in ("crash", "uncoded"):
        caplog.clear()
        answer = post(tiny, f"{{ hello {field} }}", headers={"x-request-id": "request-9"})
        assert answer.status_code == 200
        assert answer.json()["data"] == {"hello": "Hello, world!", field: None}
        assert answer.json()["errors"] == [
            {
                "message": "Internal error.",
                "locations": [{"line": 1, "column": 9}],
                "path": [field],
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-9"},
            }
        ]
        assert "secret" not in answer.text
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert (record.name, record.getMessage()) == ("graphfolio", f"Request request-9 failed at '{field}'.")
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == "a secret cause"


def test_an_answer_that_json_cannot_hold_is_masked(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    answer = post(tiny, "{ unwritable }", headers={"x-request-id": "request-8"})
    assert errors(answer) == [("INTERNAL_SERVER_ERROR", "Internal error.")]
    assert "secret" not in answer.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "Request request-8 failed."
    ]


def test_coded_errors_reach_the_client_as_they_are(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    answer = post(tiny, "{ coded }")
    assert answer.json()["errors"][0]["message"] == "Not like this."
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "name"}
    answer = post(tiny, "{ private }")
    assert answer.json()["data"] is None
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_token_reaches_the_context(tiny: Served) -> None:
    query = "{ me { username } }"
    assert post(tiny, query, headers={"authorization": "Bearer good"}).json()["data"]["me"] == {
        "username": "viewer"
    }
    assert post(tiny, query, headers={"authorization": "bearer  good"}).json()["data"]["me"] == {
        "username": "viewer"
    }
    assert post(tiny, query).json()["data"] == {"me": None}
    bad = post(tiny, query, headers={"authorization": "Bearer bad"}).json()
    assert bad["data"] == {"me": None}
    assert bad["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize("header", ["good", "Basic Z29vZA==", "Bearer", "Bearer a b", ""])
def test_another_authorization_is_never_served_as_nobody(tiny: Served, header: str) -> None:
    answer = post(tiny, "{ hello }", headers={"authorization": header})
    message = 'The authorization must be "Bearer" and an access token.'
    assert (answer.status_code, errors(answer)) == (401, [("UNAUTHENTICATED", message)])


def test_each_operation_has_a_context_of_its_own_and_it_is_closed(tiny: Served) -> None:
    before = len(tiny.opened)
    for query in ("{ hello }", "{ crash }", "{ nothing }", "{"):
        post(tiny, query)
    opened = tiny.opened[before:]
    assert len({id(context) for context in opened}) == 4
    assert [context.closings for context in opened] == [1, 1, 1, 1]


def test_an_operation_that_takes_too_long_is_ended() -> None:
    with serve_tiny(operation_timeout_seconds=0.1) as served:
        answer = post(served, "{ slow(seconds: 5) }")
        assert answer.status_code == 504
        assert errors(answer) == [("TIMEOUT", "The operation took longer than 0.1 seconds.")]
        assert post(served, "{ slow(seconds: 5) }", "application/json").status_code == 200
        assert [context.closings for context in served.opened] == [1, 1]


def test_a_client_that_goes_leaves_no_traceback(tiny: Served, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = tiny.url.removeprefix("http://").partition(":")
    head = f"POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    body = json.dumps({"query": "{ held }"})
    before = len(tiny.opened)
    for rest in (f"content-length: 1000\r\n\r\n{body}", f"content-length: {len(body)}\r\n\r\n{body}"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall((head + rest).encode())
            time.sleep(0.05)
    assert soon(lambda: len(tiny.opened) > before)
    tiny.signals.go_on.set()
    (context,) = tiny.opened[before:]
    assert soon(lambda: context.closings == 1)
    tiny.signals.go_on.clear()
    assert post(tiny, "{ hello }").json()["data"] == {"hello": "Hello, world!"}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_where_it_is_opened_get_runs_queries_only() -> None:
    with serve_tiny(queries_over_get=True) as served:
        url = served.url + "/graphql"
        query = "query ($n: Int!) { add(number: $n) }"
        answer = loopback.get(url, params={"query": query, "variables": '{"n": 1}'})
        assert answer.json()["data"] == {"add": 2}
        answer = loopback.get(url, params={"query": query, "variables": "{"})
        assert answer.status_code == 400
        query = 'mutation { logout(input: {refreshToken: "x"}) { userErrors { code } } }'
        answer = loopback.get(url, params={"query": query}, headers={"accept": GRAPHQL_JSON})
        assert answer.status_code == 400
        assert errors(answer) == [("BAD_USER_INPUT", "A mutation cannot be run by this kind of request.")]
