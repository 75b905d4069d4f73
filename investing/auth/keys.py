"""The keys that sign access tokens: one signs and all verify, so that keys can be rotated while in use."""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MIN_SECRET_BYTES = 32

_KID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class InvalidKeys(ValueError):
    """Keys that cannot be used; the message is one line and never contains a secret."""


@dataclass(frozen=True)
class KeyRing:
    """Secrets for HS256 by their key id; the `active` one signs. Raise InvalidKeys for anything unsafe."""

    active: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.active not in self.secrets:
            raise InvalidKeys("the active token key is not among the token keys")
        for kid, secret in self.secrets.items():
            if not _KID.fullmatch(kid):
                raise InvalidKeys("a token key's id is 1 to 64 of letters, digits, dot, hyphen, underscore")
            if len(secret) < MIN_SECRET_BYTES:
                raise InvalidKeys(f"the token key {kid} is shorter than {MIN_SECRET_BYTES} bytes")
        if len(set(self.secrets.values())) < len(self.secrets):
            raise InvalidKeys("two token keys have the same secret")

    @property
    def signing_secret(self) -> bytes:
        """The secret of the active key."""
        return self.secrets[self.active]

    def rotate(self) -> "KeyRing":
        """Return a ring with a new active key, which still verifies what the older ones signed."""
        kid = _new_kid()
        return KeyRing(kid, {kid: secrets.token_bytes(MIN_SECRET_BYTES), **self.secrets})

    @classmethod
    def generate(cls) -> "KeyRing":
        """Return a ring with one new random key."""
        kid = _new_kid()
        return cls(kid, {kid: secrets.token_bytes(MIN_SECRET_BYTES)})

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Parse a setting: `kid:base64,kid:base64` or JSON `{"kid": "base64"}`. The first signs, all verify.

        Raise InvalidKeys if it has neither form.
        """
        pairs = _pairs_of_json(text) if text.lstrip().startswith("{") else _pairs_of_list(text)
        if not pairs:
            raise InvalidKeys("there is no token key")
        ring = {kid: _decode(kid, secret) for kid, secret in pairs}
        if len(ring) < len(pairs):
            raise InvalidKeys("two token keys have the same id")
        return cls(pairs[0][0], ring)

    def to_json(self) -> dict[str, Any]:
        """Return the ring as it is stored in a file."""
        encoded = {kid: base64.b64encode(secret).decode() for kid, secret in self.secrets.items()}
        return {"active": self.active, "keys": encoded}

    @classmethod
    def from_json(cls, value: object) -> "KeyRing":
        """Parse what `to_json` returned; raise InvalidKeys if it is not that."""
        match value:
            case {"active": str(active), "keys": dict(keys)} if all(
                isinstance(k, str) for k in keys.values()
            ):
                return cls(active, {kid: _decode(kid, secret) for kid, secret in keys.items()})
            case _:
                raise InvalidKeys("the token keys are not in the form that Graphfolio writes")


def _new_kid() -> str:
    return secrets.token_hex(8)


def _pairs_of_list(text: str) -> list[tuple[str, str]]:
    pairs = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        kid, colon, secret = item.partition(":")
        if not colon:
            raise InvalidKeys("token keys are written kid:base64, with commas between them")
        pairs.append((kid.strip(), secret.strip()))
    return pairs


def _pairs_of_json(text: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        pairs = None
    if not isinstance(pairs, list) or not all(isinstance(secret, str) for _, secret in pairs):
        raise InvalidKeys('token keys in JSON are an object {"kid": "base64"}') from None
    return pairs


def _decode(kid: str, text: str) -> bytes:
    """Decode base64 in either alphabet, padded or not."""
    plain = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        name = kid if _KID.fullmatch(kid) else "with that id"
        raise InvalidKeys(f"the token key {name} is not base64") from None
