"""Access tokens: ours are read, and everything else is refused without a word."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from asyncpg.connection import LoggedQuery

from db.sessions import Sessions
from investing.auth.keys import KeyRing
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens, Claims, InvalidToken
from investing.auth.types import LoggedIn, NotLoggedIn

ISSUER, AUDIENCE = "https://graphfolio.test", "graphfolio"
USER, SESSION = UUID(int=1), UUID(int=2)
CLAIMS = ("iss", "aud", "sub", "exp", "iat", "jti", "typ", "sid")
DROP = object()


def encode(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(header: object, payload: object, secret: bytes, digest: str = "sha256") -> str:
    """By hand, since a library would refuse to make most of these."""
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), digest).digest())}"


def header(ring: KeyRing, **changes: object) -> dict[str, Any]:
    members = {"alg": "HS256", "typ": "JWT", "kid": ring.active, **changes}
    return {name: value for name, value in members.items() if value is not DROP}


def payload(**changes: object) -> dict[str, Any]:
    now = int(dt.datetime.now(dt.UTC).timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": now,
        "exp": now + 600,
        "jti": str(uuid4()),
        "typ": "access",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not DROP}


def in_seconds(seconds: int) -> int:
    return int(dt.datetime.now(dt.UTC).timestamp()) + seconds


def test_a_token_comes_back_as_it_was_issued(tokens: AccessTokens, ring: KeyRing) -> None:
    now = dt.datetime.now(dt.UTC)
    text, expires_at = tokens.issue(USER, SESSION, now)
    claims = tokens.verify(text)
    issued_at = now.replace(microsecond=0)
    assert claims == Claims(USER, SESSION, issued_at, issued_at + dt.timedelta(minutes=10), claims.token_id)
    assert expires_at == claims.expires_at
    assert jwt.get_unverified_header(text) == {"alg": "HS256", "typ": "JWT", "kid": ring.active}
    assert tokens.verify(tokens.issue(USER, SESSION, now)[0]).token_id != claims.token_id


def test_a_good_one_made_by_hand_is_read(tokens: AccessTokens, ring: KeyRing) -> None:
    """So that each forgery below fails for its one flaw and not for the way it is made."""
    assert tokens.verify(sign(header(ring), payload(), ring.signing_secret)).user_id == USER


def test_a_clock_two_seconds_off_is_forgiven(tokens: AccessTokens, ring: KeyRing) -> None:
    ahead = payload(iat=in_seconds(1), exp=in_seconds(601))
    assert tokens.verify(sign(header(ring), ahead, ring.signing_secret)).user_id == USER
    just_expired = payload(iat=in_seconds(-600), exp=in_seconds(0))
    assert tokens.verify(sign(header(ring), just_expired, ring.signing_secret)).user_id == USER


def forgeries(ring: KeyRing) -> dict[str, str]:
    secret = ring.signing_secret
    good = sign(header(ring), payload(), secret)
    head, body, signature = good.split(".")
    another = KeyRing.generate()
    forged = {
        "empty": "",
        "no dots": "abc",
        "two dots": "..",
        "four parts": good + ".x",
        "no signature": f"{head}.{body}.",
        "cut": good[:-1],
        "longer": good + "A",
        "blank before": " " + good,
        "line after": good + "\n",
        "not ASCII": good + "\u00e9",
        "surrogate": "\ud800" + good,
        "over 4 KiB": sign(header(ring), payload(more="x" * 4000), secret),
        "another key under our kid": sign(header(ring), payload(), another.signing_secret),
        "another key under its kid": sign(header(another), payload(), another.signing_secret),
        "empty key": sign(header(ring), payload(), b""),
        "kid as key": sign(header(ring), payload(), ring.active.encode()),
        "no kid": sign(header(ring, kid=DROP), payload(), secret),
        "HS384": sign(header(ring, alg="HS384"), payload(), secret, "sha384"),
        "HS512": sign(header(ring, alg="HS512"), payload(), secret, "sha512"),
        "HS384 said to be HS256": sign(header(ring), payload(), secret, "sha384"),
        "tampered payload": f"{head}.{encode(payload(sub=str(uuid4())))}.{signature}",
        "tampered header": f"{encode(header(ring, x=1))}.{body}.{signature}",
        "signature of another": f"{head}.{body}.{sign(header(ring), payload(), secret).split('.')[2]}",
        "payload not JSON": sign(header(ring), b"{", secret),
        "payload a list": sign(header(ring), [], secret),
        "header a list": sign([], payload(), secret),
        "header not JSON": sign(b"\xff", payload(), secret),
        "deep header": sign(b"[" * 2000, payload(), secret),
        "twice the same": sign(header(ring), payload(), secret) * 2,
    }
    for alg in ("none", "None", "NONE", "nOnE", ""):
        forged[f"alg {alg!r} unsigned"] = f"{encode(header(ring, alg=alg))}.{body}."
        forged[f"alg {alg!r} signed"] = sign(header(ring, alg=alg), payload(), secret)
    others: list[object] = [
        "RS256",
        "ES256",
        "PS256",
        "EdDSA",
        "hs256",
        "HS1",
        "HS256 ",
        256,
        None,
        ["HS256"],
        DROP,
    ]
    for other in others:
        forged[f"alg {other!r:.9}"] = sign(header(ring, alg=other), payload(), secret)
    kids: list[object] = ["", "unknown", "../../etc/passwd", "' OR 1=1", 1, None, [], {}, ring.active + " "]
    for kid in kids:
        forged[f"kid {kid!r}"] = sign(header(ring, kid=kid), payload(), secret)
    extra: dict[str, object] = {
        "crit": ["exp"],
        "crit empty": [],
        "b64": False,
        "jku": "https://evil.test",
        "x5u": "https://evil.test",
        "jwk": {"kty": "oct", "k": encode(another.signing_secret)},
        "zip": "DEF",
        "cty": "JWT",
    }
    for name, value in extra.items():
        forged[f"header {name}"] = sign(header(ring, **{name.split()[0]: value}), payload(), secret)
    for typ in ("at+jwt", "JWE", "jwt", "", None, DROP):
        forged[f"header typ {typ!r:.9}"] = sign(header(ring, typ=typ), payload(), secret)
    for claim in CLAIMS:
        forged[f"no {claim}"] = sign(header(ring), payload(**{claim: DROP}), secret)
        for value in (None, "", [], {}, True, 1.5, "x", 10**30, -(10**30)):
            forged[f"{claim} {value!r}"] = sign(header(ring), payload(**{claim: value}), secret)
    wrong: list[dict[str, object]] = [
        {"iss": "https://evil.test"},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"aud": "another"},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "another"]},
        {"typ": "refresh"},
        {"typ": "Access"},
        {"sub": str(USER).upper().replace("-", "")},
        {"sub": f"{{{USER}}}"},
        {"sid": SESSION.hex},
        {"sub": 1},
        {"iat": in_seconds(-700), "exp": in_seconds(-100)},
        {"iat": in_seconds(-603), "exp": in_seconds(-3)},
        {"iat": in_seconds(60), "exp": in_seconds(600)},
        {"iat": in_seconds(5), "exp": in_seconds(605)},
        {"nbf": in_seconds(60)},
        {"nbf": "x"},
        {"exp": in_seconds(601)},
        {"exp": 2**62},
        {"exp": str(in_seconds(600))},
        {"exp": float(in_seconds(600))},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"iat": str(in_seconds(0))},
        {"iat": 0},
    ]
    for changes in wrong:
        forged[f"wrong {changes!r}"] = sign(header(ring), payload(**changes), secret)
    return forged


def test_every_forgery_is_refused(tokens: AccessTokens, ring: KeyRing) -> None:
    forged = forgeries(ring)
    assert len(forged) >= 150
    accepted = []
    for name, text in forged.items():
        with suppress(InvalidToken):
            accepted.append((name, tokens.verify(text)))
    assert accepted == []


def test_a_refusal_says_nothing(tokens: AccessTokens, ring: KeyRing) -> None:
    with pytest.raises(InvalidToken) as refused:
        tokens.verify(sign(header(ring), payload(aud="another"), ring.signing_secret))
    assert (str(refused.value), refused.value.__cause__) == ("", None)


async def test_a_viewer_costs_one_statement_and_a_forgery_none(
    auth_service: AuthService, sessions: Sessions, tokens: AccessTokens, ring: KeyRing, user: LoggedIn
) -> None:
    statements: list[str] = []

    def note(query: LoggedQuery) -> None:
        statements.append(query.query)

    await auth_service.viewer(user.access_token)
    # The pool hands out the connection that came back last, so the service gets this one.
    async with sessions.reading(user.user_id) as connection:
        connection.add_query_logger(note)
    await auth_service.viewer(user.access_token)
    forged = sign(header(ring), payload(sub=str(user.user_id)), b"x" * 32)
    with pytest.raises(NotLoggedIn):
        await auth_service.viewer(forged)
    async with sessions.reading(user.user_id) as connection:
        connection.remove_query_logger(note)
    assert [statement.split()[:2] for statement in statements] == [["SELECT", "u.id,"]]


async def test_forgeries_do_not_open_the_door(
    auth_service: AuthService, sessions: Sessions, tokens: AccessTokens, ring: KeyRing, user: LoggedIn
) -> None:
    session_id = (await auth_service.viewer(user.access_token)).session_id
    now = dt.datetime.now(dt.UTC)
    strangers = [
        tokens.issue(user.user_id, uuid4(), now)[0],
        tokens.issue(uuid4(), session_id, now)[0],
        tokens.issue(uuid4(), uuid4(), now)[0],
        user.refresh_token,
        "Bearer " + user.access_token,
        *forgeries(ring).values(),
    ]
    for text in strangers:
        with pytest.raises(NotLoggedIn):
            await auth_service.viewer(text)
    assert (await auth_service.viewer(user.access_token)).id == user.user_id


def test_an_rsa_key_is_no_way_in(tokens: AccessTokens, ring: KeyRing) -> None:
    """The classic confusion: a public key as the secret of an HMAC, and the other way round."""
    public = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(hashlib.sha512(b"x").digest()) + b"\n"
    for alg in ("HS256", "RS256"):
        with pytest.raises(InvalidToken):
            tokens.verify(sign(header(ring, alg=alg), payload(), public))


def test_older_keys_verify_and_removed_ones_do_not(tokens: AccessTokens, ring: KeyRing) -> None:
    now = dt.datetime.now(dt.UTC)
    old, _ = tokens.issue(USER, SESSION, now)
    rotated = ring.rotate()
    after = AccessTokens(rotated, ISSUER, AUDIENCE)
    new, _ = after.issue(USER, SESSION, now)
    assert jwt.get_unverified_header(new)["kid"] == rotated.active != ring.active
    assert after.verify(old).user_id == after.verify(new).user_id == USER
    with pytest.raises(InvalidToken):
        tokens.verify(new)
    only_new = AccessTokens(
        KeyRing(rotated.active, {rotated.active: rotated.signing_secret}), ISSUER, AUDIENCE
    )
    with pytest.raises(InvalidToken):
        only_new.verify(old)


def test_what_was_verified_is_remembered_until_it_expires_and_no_longer(
    tokens: AccessTokens, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

    class Clock(dt.datetime):
        moment = start

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return cls.moment

    checked: list[str] = []
    check = AccessTokens._verify

    def verify(self: AccessTokens, text: str) -> Claims:
        checked.append(text)
        return check(self, text)

    monkeypatch.setattr(AccessTokens, "_verify", verify)
    text, expires_at = tokens.issue(USER, SESSION, dt.datetime.now(dt.UTC))
    claims = tokens.verify(text)
    assert tokens.verify(text) is claims
    assert checked == [text]
    # A digest of another text is another one.
    with pytest.raises(InvalidToken):
        tokens.verify(text[:-2])
    with monkeypatch.context() as patch:
        patch.setattr("investing.auth.tokens.dt.datetime", Clock)
        Clock.moment = expires_at + dt.timedelta(seconds=1.9)
        assert tokens.verify(text) is claims
        assert checked == [text, text[:-2]]
        Clock.moment = expires_at + dt.timedelta(seconds=2)
        with suppress(InvalidToken):
            tokens.verify(text)
        assert checked == [text, text[:-2], text]


def test_no_more_tokens_are_remembered_than_there_is_room_for(
    tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("investing.auth.tokens.MOST_VERIFIED", 3)
    tokens._verified.clear()
    for _ in range(5):
        tokens.verify(tokens.issue(USER, SESSION, dt.datetime.now(dt.UTC))[0])
    assert len(tokens._verified) == 3
