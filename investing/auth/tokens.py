"""Access tokens, which a client sends with every request (JWT, RFC 7519, verified as RFC 8725 advises)."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import jwt

from investing.auth.keys import KeyRing

MAX_LENGTH = 4096
"""In characters; a longer token is refused unread."""

LEEWAY = dt.timedelta(seconds=2)
"""How far the clocks of two servers may differ."""

MOST_VERIFIED = 20_000
"""Tokens that are remembered; the oldest is forgotten for a new one."""

_ALGORITHM = "HS256"
_HEADER = {"alg", "kid", "typ"}
_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti", "typ", "sid"]
_TYPE = "access"


class InvalidToken(Exception):
    """The token is not one of ours or no longer valid; which of them is deliberately not revealed."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a valid token: the user (`sub`), the login and the expiry.

    The login is `sid`, the id of its refresh family.
    """

    user_id: UUID
    session_id: UUID
    issued_at: dt.datetime
    expires_at: dt.datetime
    token_id: UUID


class AccessTokens:
    """Issue and verify access tokens of one issuer for one audience, valid for `lifetime`."""

    def __init__(
        self, ring: KeyRing, issuer: str, audience: str, lifetime: dt.timedelta = dt.timedelta(minutes=10)
    ) -> None:
        self._ring = ring
        self._issuer = issuer
        self._audience = audience
        self._lifetime = int(lifetime.total_seconds())
        self._jwt = jwt.PyJWT(options={"require": _CLAIMS, "strict_aud": True})
        self._verified: dict[bytes, Claims] = {}

    def issue(self, user_id: UUID, session_id: UUID, now: dt.datetime) -> tuple[str, dt.datetime]:
        """Return a token for the session, and when it expires (in whole seconds)."""
        issued_at = int(now.timestamp())
        expires_at = issued_at + self._lifetime
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": issued_at,
            "exp": expires_at,
            "jti": str(uuid4()),
            "typ": _TYPE,
        }
        ring = self._ring
        text = self._jwt.encode(
            claims, ring.signing_secret, algorithm=_ALGORITHM, headers={"kid": ring.active}
        )
        return text, dt.datetime.fromtimestamp(expires_at, dt.UTC)

    def verify(self, text: str) -> Claims:
        """Return the claims of a token that one of our keys signed and that is valid now.

        Raise InvalidToken otherwise. What was verified is remembered by its digest until it expires: checking
        a signature takes longer than all else that a small request needs.
        """
        if len(text) > MAX_LENGTH or not text.isascii():
            raise InvalidToken
        digest = hashlib.sha256(text.encode()).digest()
        known = self._verified.get(digest)
        if known is not None:
            if dt.datetime.now(dt.UTC) < known.expires_at + LEEWAY:
                return known
            del self._verified[digest]
        claims = self._verify(text)
        if len(self._verified) >= MOST_VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims
        return claims

    def _verify(self, text: str) -> Claims:
        try:
            claims = self._jwt.decode(
                text,
                self._secret(text),
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
            )
            return self._read(claims)
        except (jwt.PyJWTError, ValueError):
            raise InvalidToken from None

    def _secret(self, text: str) -> bytes:
        """Return the key that the header names, whose members must be exactly the three of ours.

        That refuses `crit`, which we do not implement, and `jwk`, `jku` and others that bring a key along.
        """
        header = jwt.get_unverified_header(text)
        if set(header) != _HEADER or header["alg"] != _ALGORITHM or header["typ"] != "JWT":
            raise InvalidToken
        secret = self._ring.secrets.get(header["kid"])
        if secret is None:
            raise InvalidToken
        return secret

    def _read(self, claims: dict[str, Any]) -> Claims:
        issued_at, expires_at = claims["iat"], claims["exp"]
        if claims["typ"] != _TYPE or type(issued_at) is not int or type(expires_at) is not int:
            raise InvalidToken
        if expires_at - issued_at > self._lifetime:
            raise InvalidToken
        return Claims(
            user_id=_uuid(claims["sub"]),
            session_id=_uuid(claims["sid"]),
            issued_at=dt.datetime.fromtimestamp(issued_at, dt.UTC),
            expires_at=dt.datetime.fromtimestamp(expires_at, dt.UTC),
            token_id=_uuid(claims["jti"]),
        )


def _uuid(text: object) -> UUID:
    """Parse a UUID in the one spelling that we write."""
    if not isinstance(text, str) or str(value := UUID(text)) != text:
        raise InvalidToken
    return value
