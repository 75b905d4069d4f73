"""One key, one effect: a retried mutation answers with what came of it the first time.

The key is claimed in the same database transaction as the effect, so that there is never one without the
other. A refusal is kept as well, a fault is not: after a fault the same key tries again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from db.auth import idempotency
from db.sessions import Session, Sessions
from db.write_batch import WriteBatch
from db.writing import Lock, RawConnection
from investing.rules import errors
from investing.rules.errors import DomainError, IdempotencyMismatch, InvalidInput

Effect = Callable[[Session], Awaitable[UUID]]
Row = Mapping[Any, Any]
Read = Callable[[RawConnection], Awaitable[Row]]
Decide = Callable[[RawConnection, Row, WriteBatch], Awaitable[UUID]]


class NotQuick(Exception):
    """What is asked for takes more than the quick way can do: nothing was done, the general way does it."""


@dataclass(frozen=True)
class Intent:
    """What a client wants once: the key, and a hash of what it stands for."""

    owner_id: UUID
    key: UUID
    field: str
    digest: bytes

    @classmethod
    def of(cls, owner_id: UUID, key: str, field: str, arguments: Mapping[str, object]) -> "Intent":
        """The intent. Raises InvalidInput for a key that is not a UUID."""
        reported = json.dumps([field, arguments], default=str, sort_keys=True).encode()
        return cls(owner_id, _parse(key), field, hashlib.sha256(reported).digest())

    def again(self, field: str, digest: bytes, outcome: Mapping[str, Any] | None) -> UUID:
        """What came of it the first time. Raises that refusal, or IdempotencyMismatch."""
        if field != self.field or digest != self.digest:
            raise IdempotencyMismatch(
                "This idempotency key was used for something else: take a new one for a new intent.",
                ("idempotencyKey",),
            )
        assert outcome is not None, "whoever writes the key says what came of it in the same transaction"
        if (refused := outcome.get("refused")) is not None:
            raise load(refused)
        return UUID(outcome["id"])

    def row(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """The key's row once something has come of it."""
        return {
            "owner_id": self.owner_id,
            "key": self.key,
            "field": self.field,
            "arguments_hash": self.digest,
            "outcome": outcome,
        }


async def once(
    sessions: Sessions,
    owner_id: UUID,
    key: str,
    field: str,
    arguments: Mapping[str, object],
    effect: Effect,
) -> UUID:
    """Does the effect unless the key has done it, and returns the id that came of it.

    Raises InvalidInput for a key that is not a UUID, IdempotencyMismatch where the key stands for another
    field or other arguments, and the effect's own DomainError, now or again.
    """
    return await once_generally(sessions, Intent.of(owner_id, key, field, arguments), effect)


async def once_generally(sessions: Sessions, intent: Intent, effect: Effect) -> UUID:
    """The same for an intent: whatever the effect does and reads, in a savepoint that a refusal undoes."""
    owner_id, key = intent.owner_id, intent.key

    async def claim_and_act(session: Session) -> UUID | DomainError:
        if not await idempotency.claim(session, owner_id, key, intent.field, intent.digest):
            kept = await idempotency.find(session, owner_id, key)
            return intent.again(kept["field"], kept["arguments_hash"], kept["outcome"])
        try:
            async with session.begin_nested():
                id = await effect(session)
        except DomainError as domain_error:
            await idempotency.keep(session, owner_id, key, {"refused": dump(domain_error)})
            return domain_error
        await idempotency.keep(session, owner_id, key, {"id": str(id)})
        return id

    return _result(await sessions.transact(owner_id, claim_and_act))


async def once_quickly(sessions: Sessions, intent: Intent, lock: Lock, read: Read, decide: Decide) -> UUID:
    """The same where all is read before anything is written, and all is written in one statement.

    `read` brings what there is to know, with the key's row as `key_field`, `key_hash` and `key_outcome`;
    what it refuses is not kept. `decide` adds the writes. Raises NotQuick as they do, with nothing done.

    The key is written last and not claimed first: two attempts of one intent wait for the same lock, and
    another intent under its key fails on the key's own uniqueness and is tried anew.
    """

    async def read_and_act(connection: RawConnection) -> UUID | DomainError:
        row = await read(connection)
        if row["key_field"] is not None:
            return intent.again(row["key_field"], row["key_hash"], row["key_outcome"])
        parts = WriteBatch()
        result: UUID | DomainError
        try:
            result = await decide(connection, row, parts)
            outcome: dict[str, Any] = {"id": str(result)}
        except DomainError as domain_error:
            parts, result, outcome = WriteBatch(), domain_error, {"refused": dump(domain_error)}
        parts.insert("idempotency_keys", intent.row(outcome))
        await parts.write(connection)
        return result

    return _result(await sessions.write(intent.owner_id, lock, read_and_act))


def _result(outcome: UUID | DomainError) -> UUID:
    # A refusal is raised outside the transaction, which would otherwise undo the note of it.
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


async def find_kept(
    sessions: Sessions, owner_id: UUID, key: str, field: str, arguments: Mapping[str, object]
) -> UUID | None:
    """What came of the key before, without doing anything; None for a new one, and one under way.

    For work that has to prepare outside the transaction, which a retry need not. Raises as `once` does.
    """
    intent = Intent.of(owner_id, key, field, arguments)
    async with sessions.begin(owner_id) as session:
        kept = await idempotency.find_if_there(session, owner_id, intent.key)
    if kept is None or kept["outcome"] is None:
        return None
    return intent.again(kept["field"], kept["arguments_hash"], kept["outcome"])


def _parse(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise InvalidInput("An idempotency key is a UUID.", ("idempotencyKey",)) from None


def dump(domain_error: DomainError) -> dict[str, Any]:
    """A refusal as JSON, with its kind and its facts."""
    kind = type(domain_error)
    return {"kind": kind.__name__, "facts": TypeAdapter(kind).dump_python(domain_error, mode="json")}


def load(kept: Mapping[str, Any]) -> DomainError:
    """The refusal that `dump` made this JSON of."""
    kind: type[DomainError] = getattr(errors, kept["kind"])
    return TypeAdapter(kind).validate_python(kept["facts"])
