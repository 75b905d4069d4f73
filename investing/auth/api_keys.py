"""Credentials for brokers: encrypted when they are stored, and never shown again."""

from dataclasses import dataclass, field
from uuid import UUID

import orjson

from db.auth import api_keys as rows
from db.auth.rows import DeletedKeyRow
from db.auth.writes import lock_user
from db.ids import uuid7
from db.vocabulary import Broker
from investing.actor import Actor
from investing.audit import note
from investing.auth.encryption import DecryptionFailed, EncryptedSecret, SecretBox, SecretLocation
from investing.rules.auth.api_keys import MOST_API_KEYS, checked_key, checked_secret, hint_of
from investing.rules.errors import InvalidInput, LimitReached, NotFound
from investing.rules.names import checked_name

TYPE = "ApiKey"
TABLE = "api_keys"


@dataclass(frozen=True)
class BrokerCredentials:
    """The key and the secret for a broker's API."""

    key: str = field(repr=False)
    secret: str | None = field(repr=False)

    @classmethod
    def opened(
        cls, secret_box: SecretBox, owner_id: UUID, id: UUID, sealed: EncryptedSecret
    ) -> "BrokerCredentials":
        """Decrypt the credentials of a row. Raise UnknownKey or DecryptionFailed."""
        try:
            return cls(**orjson.loads(secret_box.open(SecretLocation(TABLE, owner_id, id), sealed)))
        except (TypeError, ValueError):
            raise DecryptionFailed("A stored secret is not in the form that Graphfolio writes.") from None

    def sealed(self, secret_box: SecretBox, owner_id: UUID, id: UUID) -> dict[str, bytes | str]:
        """Return the columns that store the credentials, encrypted."""
        text = orjson.dumps({"key": self.key, "secret": self.secret})
        sealed = secret_box.seal(SecretLocation(TABLE, owner_id, id), text)
        return {"ciphertext": sealed.ciphertext, "encryption_key_id": sealed.key_id}


class ApiKeys:
    """The users' operations on their brokers' API keys."""

    def __init__(self, secret_box: SecretBox) -> None:
        self._secret_box = secret_box

    async def store(
        self, actor: Actor, broker: Broker, label: str, key: str, secret: str | None, account_id: UUID | None
    ) -> UUID:
        """Store credentials and return their id.

        They replace any with the same label for the same broker. Raise InvalidInput, NotFound or
        LimitReached.
        """
        label = checked_name(label, "label")
        given = BrokerCredentials(checked_key(key), checked_secret(broker, secret))
        async with actor.sessions.begin(actor.id) as session:
            # So that two requests cannot both find a label unused, or a place left, at the same time.
            await lock_user(session, actor.id)
            if account_id is not None:
                found = await rows.broker_of(session, actor.id, account_id)
                if found is None:
                    raise NotFound("There is no such account.", ("accountId",))
                if found != broker:
                    raise InvalidInput(f"The account is at another broker: {found}.", ("accountId",))
            former = await rows.find_api_key(session, actor.id, broker, label)
            id = former or uuid7()
            facts: DeletedKeyRow = {"broker": broker.value, "label": label, "key_hint": hint_of(given.key)}
            values = {**facts, "account_id": account_id, **given.sealed(self._secret_box, actor.id, id)}
            if former:
                await rows.replace_api_key(session, actor.id, id, values)
            else:
                if await rows.count_api_keys(session, actor.id) >= MOST_API_KEYS:
                    raise LimitReached(f"There can be {MOST_API_KEYS} API keys.", limit=MOST_API_KEYS)
                await rows.insert_api_key(session, {"owner_id": actor.id, "id": id, **values})
            action = "apiKey.replaced" if former else "apiKey.stored"
            await note(session, actor.id, actor.client, action, TYPE, id, **_audit_facts(facts))
        return id

    async def delete(self, actor: Actor, id: UUID) -> None:
        """Delete credentials; raise NotFound if the owner has none with this id."""
        async with actor.sessions.begin(actor.id) as session:
            deleted = await rows.delete_api_key(session, actor.id, id)
            if deleted is None:
                raise NotFound("There is no such API key.", ("apiKeyId",))
            await note(session, actor.id, actor.client, "apiKey.deleted", TYPE, id, **_audit_facts(deleted))


def _audit_facts(facts: DeletedKeyRow) -> dict[str, str]:
    return {"broker": facts["broker"], "label": facts["label"], "hint": facts["key_hint"]}
