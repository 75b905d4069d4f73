"""Encrypt all stored secrets with the newest key: `graphfolio rotate-keys`."""

from collections.abc import Callable
from uuid import UUID

from db.notifications import destinations as rows
from db.sessions import Sessions
from investing.auth.encryption import EncryptedSecret, SecretBox, SecretLocation

TABLES = ("notification_destinations", "api_keys")
"""Every table with encrypted secrets: `ciphertext`, `encryption_key_id`, `owner_id` and `id`."""

AT_ONCE = 100


async def reencrypt_all(
    sessions: Sessions, secret_box: SecretBox, report: Callable[[str, int, int], None]
) -> int:
    """Encrypt each secret that has an older key again with the active one; return how many.

    A batch of them is one transaction: wherever it is interrupted, every secret is encrypted with one key or
    the other, both of which decrypt, and the next run continues. Raise DecryptionFailed if a secret was
    altered.
    """
    owners = await rows.owners_of_secrets(sessions)
    reencrypted = 0
    for done, owner_id in enumerate(owners):
        report("Encrypting secrets", done, len(owners))
        for table in TABLES:
            while count := await _reencrypt_batch(sessions, secret_box, owner_id, table):
                reencrypted += count
    report("Encrypting secrets", len(owners), len(owners))
    return reencrypted


async def keys_in_use(sessions: Sessions) -> set[str]:
    """Return the ids of the keys that any stored secret is encrypted with."""
    used: set[str] = set()
    for owner_id in await rows.owners_of_secrets(sessions):
        async with sessions.begin(owner_id) as session:
            for table in TABLES:
                used |= await rows.key_ids_of(session, owner_id, table)
    return used


async def _reencrypt_batch(sessions: Sessions, secret_box: SecretBox, owner_id: UUID, table: str) -> int:
    async with sessions.begin(owner_id) as session:
        old = await rows.lock_sealed(session, owner_id, table, secret_box.ring.active, AT_ONCE)
        for row in old:
            location = SecretLocation(table, owner_id, row["id"])
            secret = secret_box.open(
                location, EncryptedSecret(bytes(row["ciphertext"]), row["encryption_key_id"])
            )
            sealed = secret_box.seal(location, secret)
            await rows.store_sealed(session, owner_id, table, row["id"], sealed.ciphertext, sealed.key_id)
        return len(old)
