"""One key, one effect: a retried mutation answers with what came of it the first time.

The key is claimed in the same database transaction as the effect, so that there is never one without the
other. A refusal is kept as well, a fault is not: after a fault the same key tries again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from db.auth import idempotency
from db.sessions import Session, Sessions
from investing.rules import refusals
from investing.rules.refusals import IdempotencyMismatch, InvalidInput, Refusal

Effect = Callable[[Session], Awaitable[UUID]]


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
    field or other arguments, and the effect's own Refusal, now or again.
    """
    key_id = _parse(key)
    digest = _digest(field, arguments)

    async def claim_and_act(session: Session) -> UUID | Refusal:
        if not await idempotency.claim(session, owner_id, key_id, field, digest):
            return _again(await idempotency.find(session, owner_id, key_id), field, digest)
        try:
            async with session.begin_nested():
                id = await effect(session)
        except Refusal as refusal:
            await idempotency.keep(session, owner_id, key_id, {"refused": dump(refusal)})
            return refusal
        await idempotency.keep(session, owner_id, key_id, {"id": str(id)})
        return id

    # A refusal is raised outside the transaction, which would otherwise undo the note of it.
    outcome = await sessions.transact(owner_id, claim_and_act)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


async def find_kept(
    sessions: Sessions, owner_id: UUID, key: str, field: str, arguments: Mapping[str, object]
) -> UUID | None:
    """What came of the key before, without doing anything; None for a new one, and one under way.

    For work that has to prepare outside the transaction, which a retry need not. Raises as `once` does.
    """
    key_id = _parse(key)
    async with sessions.begin(owner_id) as session:
        kept = await idempotency.find_if_there(session, owner_id, key_id)
    if kept is None or kept["outcome"] is None:
        return None
    return _again(kept, field, _digest(field, arguments))


def _digest(field: str, arguments: Mapping[str, object]) -> bytes:
    return hashlib.sha256(json.dumps([field, arguments], default=str, sort_keys=True).encode()).digest()


def _parse(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise InvalidInput("An idempotency key is a UUID.", ("idempotencyKey",)) from None


def _again(kept: Mapping[Any, Any], field: str, digest: bytes) -> UUID:
    if kept["field"] != field or kept["arguments_hash"] != digest:
        raise IdempotencyMismatch(
            "This idempotency key was used for something else: take a new one for a new intent.",
            ("idempotencyKey",),
        )
    if (refused := kept["outcome"].get("refused")) is not None:
        raise load(refused)
    return UUID(kept["outcome"]["id"])


def dump(refusal: Refusal) -> dict[str, Any]:
    """A refusal as JSON, with its kind and its facts."""
    kind = type(refusal)
    return {"kind": kind.__name__, "facts": TypeAdapter(kind).dump_python(refusal, mode="json")}


def load(kept: Mapping[str, Any]) -> Refusal:
    """The refusal that `dump` made this JSON of."""
    kind: type[Refusal] = getattr(refusals, kept["kind"])
    return TypeAdapter(kind).validate_python(kept["facts"])
