"""Sealing all that is stored with the newest key: `graphfolio rotate-keys`."""

from collections.abc import Callable
from uuid import UUID

from db.notifications import destinations as rows
from db.sessions import Sessions
from investing.auth.encryption import EncryptedSecret, SecretBox, SecretLocation

TABLES = ("notification_destinations", "api_keys")
"""Every table with sealed secrets: `ciphertext`, `encryption_key_id`, `owner_id` and `id`."""

AT_ONCE = 100


async def reseal_all(
    sessions: Sessions, secret_box: SecretBox, report: Callable[[str, int, int], None]
) -> int:
    """Opens each secret that an older key sealed and seals it with the active one; how many.

    Some at a time, each time in one transaction: broken off anywhere, every secret is sealed with one key or
    the other, both of which open, and the next run goes on. Raises DecryptionFailed for a changed secret.
    """
    owners = await rows.owners_of_secrets(sessions)
    resealed = 0
    for done, owner_id in enumerate(owners):
        report("Sealing secrets anew", done, len(owners))
        for table in TABLES:
            while some := await _reseal_some(sessions, secret_box, owner_id, table):
                resealed += some
    report("Sealing secrets anew", len(owners), len(owners))
    return resealed


async def keys_in_use(sessions: Sessions) -> set[str]:
    """The ids of the keys that any stored secret is sealed with."""
    used: set[str] = set()
    for owner_id in await rows.owners_of_secrets(sessions):
        async with sessions.begin(owner_id) as session:
            for table in TABLES:
                used |= await rows.key_ids_of(session, owner_id, table)
    return used


async def _reseal_some(sessions: Sessions, secret_box: SecretBox, owner_id: UUID, table: str) -> int:
    async with sessions.begin(owner_id) as session:
        old = await rows.lock_sealed(session, owner_id, table, secret_box.ring.active, AT_ONCE)
        for row in old:
            place = SecretLocation(table, owner_id, row["id"])
            secret = secret_box.open(
                place, EncryptedSecret(bytes(row["ciphertext"]), row["encryption_key_id"])
            )
            sealed = secret_box.seal(place, secret)
            await rows.store_sealed(session, owner_id, table, row["id"], sealed.ciphertext, sealed.key_id)
        return len(old)
