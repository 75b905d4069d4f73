"""Encryption of stored secrets: AES-256-GCM, each secret bound to its row, under keys that can be rotated."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from investing.auth.keys import KeyRing
from investing.auth.secret_file import SEALING_KEYS, load_or_generate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class DecryptionFailed(Exception):
    """What is stored was not encrypted for this row with a key of ours; the message reveals nothing of it."""


class UnknownKey(DecryptionFailed):
    """The key is not among ours, or not yet: another process may have created it a moment ago."""


@dataclass(frozen=True)
class SecretLocation:
    """The row that a secret belongs to. In any other row it cannot be decrypted."""

    table: str
    owner_id: UUID
    id: UUID


@dataclass(frozen=True)
class EncryptedSecret:
    """A secret as it is stored: the nonce and the ciphertext, and the id of the key."""

    ciphertext: bytes
    key_id: str


class SecretBox:
    """Encrypt with the active key of a ring and decrypt with all of its keys.

    `load` reads the ring: at the first use, and again if something is encrypted with a key that is not in it,
    so that a running server copes with a change of keys. With `rereads` it is also read before each
    encryption: a replaced key then encrypts nothing more, and may be removed some time later.
    """

    def __init__(self, load: Callable[[], KeyRing], *, rereads: bool = False) -> None:
        self._load = load
        self._rereads = rereads
        self._ring: KeyRing | None = None

    @classmethod
    def of(cls, keys: str | None, data_dir: Path) -> "SecretBox":
        """Return the secret box of a setting (`KeyRing.parse`), or else of the file of generated secrets.

        InvalidKeys and UnusableSecrets are raised only at the first use.
        """
        if keys:
            return cls(lambda: KeyRing.parse(keys))
        return cls(lambda: load_or_generate(data_dir, SEALING_KEYS), rereads=True)

    @property
    def ring(self) -> KeyRing:
        """The keys as they were last read."""
        return self._ring or self.read()

    def read(self) -> KeyRing:
        """Read the keys, for the first time or again. Raise InvalidKeys or UnusableSecrets."""
        self._ring = self._load()
        return self._ring

    def seal(self, location: SecretLocation, secret: bytes) -> EncryptedSecret:
        """Encrypt a secret for this row with the active key."""
        ring = self.read() if self._rereads else self.ring
        key_id = ring.active
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _cipher(ring.secrets[key_id]).encrypt(nonce, secret, _bound_to(location, key_id))
        return EncryptedSecret(nonce + sealed, key_id)

    def open(self, location: SecretLocation, sealed: EncryptedSecret) -> bytes:
        """Decrypt a secret. Raise UnknownKey, or DecryptionFailed if it is another row's or was altered."""
        from cryptography.exceptions import InvalidTag

        if sealed.key_id not in self.ring.secrets:
            if sealed.key_id not in self.read().secrets:
                raise UnknownKey("A stored secret is sealed with a key that is not among the sealing keys.")
        nonce, rest = sealed.ciphertext[:_NONCE_BYTES], sealed.ciphertext[_NONCE_BYTES:]
        try:
            secret = self.ring.secrets[sealed.key_id]
            return _cipher(secret).decrypt(nonce, rest, _bound_to(location, sealed.key_id))
        except (InvalidTag, ValueError):
            raise DecryptionFailed("A stored secret is not the one that was sealed for its row.") from None


def _bound_to(location: SecretLocation, key_id: str) -> bytes:
    return f"{location.table}/{location.owner_id}/{location.id}/{key_id}".encode()


@lru_cache(maxsize=64)
def _cipher(secret: bytes) -> "AESGCM":
    """Return AES-256-GCM under a key derived from the ring's secret, which may be longer.

    Source of the derivation: HKDF, RFC 5869.
    """
    # Imported here, so that a server that decrypts nothing starts without it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"graphfolio sealing").derive(secret))
