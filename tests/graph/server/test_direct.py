"""The direct way answers as Starlette does: the same status, headers and body, whatever is sent."""

import asyncio
import datetime as dt
import gzip
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from db.sessions import Sessions
from graph.ids import parse_global_id
from graph.server import direct
from investing.auth.administration import set_active
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.auth.tokens import AccessTokens
from tests.conftest import execute
from tests.graph.compiler.both import Both, Response, respond, started
from tests.graph.conftest import PASSWORD, Api, built
from tests.graph.doing import open_account

ME = b'{"query":"{ me { username } }"}'
JSON = (b"content-type", b"application/json")
GRAPHQL = (b"accept", b"application/graphql-response+json")
ID = (b"x-request-id", b"one-and-the-same")


@pytest.fixture(scope="module")
async def both(app_url: str, ring: KeyRing, secret_box: SecretBox) -> AsyncIterator[Both]:
    found = Both(built(app_url, ring, secret_box), built(app_url, ring, secret_box, compiler=False))
    async with started(found.compiling, found.resolving):
        yield found


@pytest.fixture(scope="module")
async def elsewhere(app_url: str, ring: KeyRing, secret_box: SecretBox) -> AsyncIterator[Both]:
    """The same with pages of another origin, which may call."""
    origins: dict[str, Any] = {"allowed_origins": ["https://app.example"]}
    found = Both(
        built(app_url, ring, secret_box, **origins),
        built(app_url, ring, secret_box, compiler=False, **origins),
    )
    async with started(found.compiling, found.resolving):
        yield found


@pytest.fixture(scope="module")
def api(register: Any) -> Api:
    found: Api = register()
    return found


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that the direct way has answered itself."""
    found: list[bytes] = []
    plain = direct._respond

    async def note(send: Any, answer: Any, *rest: Any) -> None:
        found.append(answer.encode("x"))
        await plain(send, answer, *rest)

    monkeypatch.setattr(direct, "_respond", note)
    return found


def _headers(api: Api, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [JSON, ID, (b"authorization", f"Bearer {api.token}".encode()), *more]


async def _same(both: Both, parts: Sequence[bytes], headers: list[tuple[bytes, bytes]]) -> Response:
    one = await respond(both.compiling, parts, headers)
    other = await respond(both.resolving, parts, headers)
    assert (one.status, one.headers, one.body) == (other.status, other.headers, other.body)
    return one


PLAIN = [
    [],
    [(b"accept", b"*/*")],
    [GRAPHQL],
    [(b"accept", b"application/json")],
    [(b"accept", b"application/graphql-response+json;q=0.5, application/json")],
    [(b"user-agent", b"x" * 900)],
    [(b"user-agent", b"")],
    [(b"user-agent", "é".encode("latin-1"))],
    [(b"origin", b"https://elsewhere.example")],
    [(b"content-length", b"31")],
    [(b"accept-encoding", b"gzip")],
    [(b"connection", b"close")],
]


@pytest.mark.parametrize("more", PLAIN, ids=str)
async def test_what_is_answered_directly(
    both: Both, api: Api, answered: list[bytes], more: list[tuple[bytes, bytes]]
) -> None:
    answer = await _same(both, [ME], _headers(api, *more))
    assert json.loads(answer.body) == {"data": {"me": {"username": api.username}}}
    assert answer.headers[b"x-request-id"] == b"one-and-the-same"
    assert len(answered) == 1


MUTATIONS = [
    'mutation { deposit(input: {accountId: "%s", amount: "1", idempotencyKey: "%s"}) { __typename '
    "transaction { id type cashDelta portfolio { id } } userErrors { code message } } }",
    'mutation { deposit(input: {accountId: "QWNjb3VudDo%.0s", amount: "1", idempotencyKey: "%s"}) '
    "{ userErrors { code } } }",
    'mutation { logout(input: {refreshToken: "%s%s"}) { userErrors { code } } }',
]


@pytest.mark.parametrize("media", [[], [GRAPHQL], [(b"user-agent", b"a client")]], ids=str)
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_mutations(
    both: Both, api: Api, answered: list[bytes], mutation: str, media: list[tuple[bytes, bytes]]
) -> None:
    """Done once by the key, and answered alike both ways; what the compiler leaves goes to the resolvers."""
    account_id = await asyncio.to_thread(open_account, api, f"Account {uuid.uuid4()}")
    body = json.dumps({"query": mutation % (account_id, uuid.uuid4())}).encode()
    answered.clear()
    answer = await _same(both, [body], _headers(api, *media))
    assert len(answered) == 1
    assert (await _same(both, [body], _headers(api, *media))).body == answer.body
    garbled = [(b"authorization", b"Bearer garbled"), JSON, ID, *media]
    await _same(both, [body], garbled)


async def test_a_login_beside_another_one_brings_the_token_of_its_device(both: Both, api: Api) -> None:
    login = "mutation($i: LoginInput!) { login(input: $i) { __typename } }"
    given = {"username": api.username, "password": PASSWORD}
    body = [json.dumps({"query": login, "variables": {"i": given}}).encode()]
    for app in (both.compiling, both.resolving):
        answer = await respond(app, body, _headers(api))
        assert answer.body == b'{"data":{"login":{"__typename":"AuthPayload"}}}'
        assert answer.headers[b"x-device-token"]


async def test_what_python_computes_is_passed_on(both: Both, api: Api, answered: list[bytes]) -> None:
    await asyncio.to_thread(open_account, api, "Computed")
    answered.clear()
    answer = await _same(both, [b'{"query":"{ me { username performance { volatility } } }"}'], _headers(api))
    assert json.loads(answer.body)["data"]["me"]["username"] == api.username
    assert answered == []


OTHER = [
    [(b"accept", b"text/html")],
    [(b"accept", b"text/event-stream")],
    [(b"accept", b"\xff")],
    [(b"accept", b"")],
    [(b"content-encoding", b"gzip")],
    [(b"content-type", b"text/plain")],
    [(b"content-type", b"application/json; charset=latin-1")],
    [(b"content-type", b'application/json;charset="utf-8"')],
    [(b"content-type", b"APPLICATION/JSON")],
    [(b"authorization", b"Basic x")],
]


@pytest.mark.parametrize("more", OTHER, ids=str)
async def test_other_headers(both: Both, api: Api, more: list[tuple[bytes, bytes]]) -> None:
    changed = {name for name, _ in more}
    headers = [each for each in _headers(api) if each[0] not in changed] + more
    await _same(both, [ME], headers)


@pytest.mark.parametrize("name", [b"authorization", b"content-type", b"accept", b"user-agent"])
async def test_headers_that_are_sent_twice(both: Both, api: Api, name: bytes) -> None:
    for value in (b"Bearer garbled", b"application/json", b"application/graphql-response+json"):
        await _same(both, [ME], [*_headers(api), (name, value)])
        await _same(both, [ME], [(name, value), *_headers(api)])


BODIES = [
    b"",
    b" ",
    b"{",
    b"[]",
    b"[" + ME + b"]",
    b"null",
    b"7",
    b'"{ me { username } }"',
    b"{}",
    b'{"query":null}',
    b'{"query":""}',
    b'{"query":" "}',
    b'{"query":7}',
    b'{"query":"{ me { username } }","query":"{ me { id } }"}',
    b'{"query":"{ me { username } }","extensions":{}}',
    b'{"query":"{ me { username } }","extensions":7}',
    b'{"query":"{ me { username } }","extensions":null}',
    b'{"query":"{ me { username } }","unknown":1}',
    b'{"query":"{ me { username } }","variables":[]}',
    b'{"query":"{ me { username } }","variables":null,"operationName":null}',
    b'{"query":"{ me { username } }","operationName":7}',
    b'{"query":"query A { me { username } }","operationName":"A"}',
    b'{"query":"query A { me { username } }","operationName":"B"}',
    b'{"query":"query A { me { username } }","operationName":""}',
    b'{"query":"{ instrument(symbol: \\"\\\\u0000\\") { id } }"}',
    b'{"query":"{ instrument(symbol: \\"\\\\u{0}\\") { id } }"}',
    b'{"query":"{ instrument(symbol: \\"\\\\u{000}\\") { id } }"}',
    b'{"query":"{ instrument(symbol: \\"\\u0000\\") { id } }"}',
    b'{"query":"{ instrument(symbol: \\"\x00\\") { id } }"}',
    b'{"query":"query($s: String!) { instrument(symbol: $s) { id } }","variables":{"s":"\\u0000"}}',
    b'{"query":"query($s: String!) { instrument(symbol: $s) { id } }","variables":{"s":"\\\\u0000"}}',
    b'{"query":"{ me { username } }","variables":{"\\u0000":1}}',
    b'{"query":"query($s: String!) { instrument(symbol: $s) { id } }","variables":{"s":"\\ud800"}}',
    b'{"query":"{ me { username } } #\xff"}',
    "\ufeff".encode() + ME,
    gzip.compress(ME, mtime=0),
    b'{"query":"{ me { username } }' + b" " * 300_000 + b'"}',
    b'{"query":"mutation { __typename }"}',
    b'{"query":"subscription { alerts { id } }"}',
    b'{"query":"{ __schema { queryType { name } } }"}',
    b'{"query":"{ me { nothing } }"}',
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:70]))
async def test_bodies(both: Both, api: Api, body: bytes) -> None:
    for more in ((), (GRAPHQL,)):
        answer = await _same(both, [body], _headers(api, *more))
        assert (await _same(both, [body[:9], body[9:]], _headers(api, *more))) == answer
    await _same(both, [body], [JSON, ID])


async def test_a_body_in_pieces(both: Both, api: Api, answered: list[bytes]) -> None:
    await _same(both, [ME[:5], ME[5:9], b"", ME[9:]], _headers(api))
    assert answered == []


async def test_pages_of_other_origins(elsewhere: Both, api: Api, answered: list[bytes]) -> None:
    for origin in (b"https://app.example", b"https://evil.example", b"null"):
        answer = await _same(elsewhere, [ME], _headers(api, (b"origin", origin)))
        assert (b"access-control-allow-origin" in answer.headers) == (origin == b"https://app.example")
    assert answered == []


async def test_other_methods_and_paths(both: Both, api: Api) -> None:
    for method, path in (("GET", "/graphql"), ("PUT", "/graphql"), ("POST", "/"), ("POST", "/graphql/")):
        one, other = [
            await respond(app, [ME], _headers(api), path=path, method=method)
            for app in (both.compiling, both.resolving)
        ]
        assert one == other


def _token(ring: KeyRing, user_id: Any, login: Any, ago: dt.timedelta) -> str:
    now = dt.datetime.now(dt.UTC) - ago
    return AccessTokens(ring, "graphfolio", "graphfolio").issue(user_id, login, now)[0]


async def test_tokens_that_open_nothing(
    both: Both, register: Any, ring: KeyRing, sessions: Sessions, superuser_url: str
) -> None:
    """Expired, garbled, of another server, of no login, and of a user who was shut out or has logged out."""
    api, gone, out = register(), register(), register()
    _, user_id = parse_global_id(api.user_id)
    nothing, hour = dt.timedelta(), dt.timedelta(hours=1)
    # All of them are good once, so that whatever is remembered is remembered.
    for each in (api, gone, out):
        assert json.loads((await _same(both, [ME], _headers(each))).body)["data"]["me"]
    await set_active(sessions, gone.username, False)
    await execute(
        superuser_url,
        f"UPDATE refresh_tokens SET revoked_at = now() WHERE owner_id = '{parse_global_id(out.user_id)[1]}'",
    )
    tokens = [
        gone.token,
        out.token,
        "garbled",
        "",
        " ",
        "x" * 5000,
        "é",
        api.token[:-1],
        api.token + "x",
        _token(ring, user_id, user_id, nothing),
        _token(ring, user_id, user_id, hour),
        _token(KeyRing.generate(), user_id, user_id, nothing),
    ]
    for token in tokens:
        bearer = (b"authorization", b"Bearer " + token.encode())
        for more in ((), (GRAPHQL,)):
            answer = await _same(both, [ME], [JSON, ID, bearer, *more])
            assert b"UNAUTHENTICATED" in answer.body
