"""Refresh tokens: the owner's id and 256 random bits in one text; only a hash of the bits is stored."""

import base64
import hashlib
import re
import secrets
from typing import NamedTuple
from uuid import UUID

_SECRET_BYTES = 32
# The prefix lets scanners for leaked secrets recognise ours. 16 + 32 bytes fill 64 characters exactly, so
# each token has one spelling only.
_PREFIX = "gfr_"
_FORM = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{64}}")


class RefreshTokenContent(NamedTuple):
    """The content of a refresh token: the owner that it claims, and the hash to look up."""

    owner_id: UUID
    token_hash: bytes


def new_refresh_token(owner_id: UUID) -> tuple[str, bytes]:
    """Return a new token's text, to be shown once, and the hash to store.

    The hash is plain SHA-256: 256 random bits cannot be guessed, so nothing slower is needed.
    """
    secret = secrets.token_bytes(_SECRET_BYTES)
    text = _PREFIX + base64.urlsafe_b64encode(owner_id.bytes + secret).decode()
    return text, hashlib.sha256(secret).digest()


def read_refresh_token(text: str) -> RefreshTokenContent | None:
    """Return the content of the text, None if it is not a refresh token.

    It proves nothing until it is looked up.
    """
    if not _FORM.fullmatch(text):
        return None
    data = base64.urlsafe_b64decode(text.removeprefix(_PREFIX))
    return RefreshTokenContent(UUID(bytes=data[:16]), hashlib.sha256(data[16:]).digest())
