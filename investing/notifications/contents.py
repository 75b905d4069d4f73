"""What is encrypted of a destination: its address, its confirmation code, a webhook's signing secrets."""

import datetime as dt
from dataclasses import asdict, dataclass, field, replace
from uuid import UUID

import orjson

from investing.auth.encryption import DecryptionFailed, EncryptedSecret, SecretBox, SecretLocation

TABLE = "notification_destinations"
BOTH_SECRETS = dt.timedelta(hours=24)
"""How long a webhook is signed with the former secret as well, after the secret was rotated."""


@dataclass(frozen=True)
class Contents:
    """The decrypted contents of a destination."""

    address: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    former_secret: str | None = field(default=None, repr=False)
    former_until: str | None = None

    def signing_secrets(self, now: dt.datetime) -> tuple[str, ...]:
        """Return the secrets that sign now, the newest first."""
        if self.secret is None:
            return ()
        if self.former_secret is None or self.former_until is None:
            return (self.secret,)
        is_over = dt.datetime.fromisoformat(self.former_until) <= now
        return (self.secret,) if is_over else (self.secret, self.former_secret)

    def with_secret(self, secret: str, now: dt.datetime) -> "Contents":
        """Return the same contents with another signing secret; the former one remains valid for a while."""
        until = (now + BOTH_SECRETS).isoformat()
        return replace(self, secret=secret, former_secret=self.secret, former_until=until)


def seal(secret_box: SecretBox, owner_id: UUID, id: UUID, contents: Contents) -> dict[str, bytes | str]:
    """Encrypt the contents; return the columns that store them."""
    sealed = secret_box.seal(SecretLocation(TABLE, owner_id, id), orjson.dumps(asdict(contents)))
    return {"ciphertext": sealed.ciphertext, "encryption_key_id": sealed.key_id}


def unseal(secret_box: SecretBox, owner_id: UUID, id: UUID, ciphertext: bytes, key_id: str) -> Contents:
    """Decrypt the contents of a row. Raise UnknownKey or DecryptionFailed."""
    opened = secret_box.open(SecretLocation(TABLE, owner_id, id), EncryptedSecret(bytes(ciphertext), key_id))
    try:
        return Contents(**orjson.loads(opened))
    except (TypeError, ValueError):
        raise DecryptionFailed("A stored secret is not in the form that Graphfolio writes.") from None
