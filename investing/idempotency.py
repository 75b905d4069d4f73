"""One key, one effect: a retried mutation returns the result of the first attempt.

The key is written in the same database transaction as the effect, so that there is never one without the
other. A rejection is kept as well, a fault is not: after a fault the same key tries again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from db.auth import idempotency
from db.canonical import decimal
from db.locks import Locks
from db.sessions import Session, Sessions
from db.trading.ledger import LedgerTransaction, transact
from db.trading.ledger_reads import KeyState, find_key
from db.writing import UncheckedLogin
from investing.rules import errors
from investing.rules.errors import DomainError, IdempotencyMismatch, InvalidInput

Effect = Callable[[Session], Awaitable[UUID]]
ResultT = TypeVar("ResultT")


class Keyed(Protocol):
    """What is read together with the key; its fields are all None for a new key."""

    @property
    def key_field(self) -> str | None: ...
    @property
    def key_hash(self) -> bytes | None: ...
    @property
    def key_outcome(self) -> dict[str, Any] | None: ...


KeyedT = TypeVar("KeyedT", bound=Keyed)


@dataclass(frozen=True)
class IntentResult(Generic[KeyedT, ResultT]):
    """The resulting id of an intent, with what was known before and what was made just now.

    `result` is None if an earlier attempt with the key made it.
    """

    id: UUID
    known: KeyedT
    result: ResultT | None


@dataclass(frozen=True)
class Intent:
    """What a client wants to happen once: the key, and a hash of the field and its arguments.

    Decimals are the same whatever zeros they are written with. `digest_as_given` is the hash that was stored
    when they were not; a retry across that change finds its first attempt by it. `login` is the client's,
    where the transaction has to check it.
    """

    owner_id: UUID
    key: UUID
    field: str
    digest: bytes
    digest_as_given: bytes = field_of(repr=False, default=b"")
    login: UncheckedLogin | None = None

    @classmethod
    def of(
        cls,
        owner_id: UUID,
        key: str,
        field: str,
        arguments: Mapping[str, object],
        login: UncheckedLogin | None = None,
    ) -> "Intent":
        """Return the intent; raise InvalidInput if the key is not a UUID."""
        canonical, as_given = (_digest([field, arguments], text) for text in (_text, str))
        return cls(owner_id, _parse(key), field, canonical, as_given, login)

    def again(self, field: str, digest: bytes, outcome: Mapping[str, Any] | None) -> UUID:
        """Return the id of the first attempt's result.

        Raise the error that it was refused with, or IdempotencyMismatch if the key was used for something
        else.
        """
        if field != self.field or digest not in (self.digest, self.digest_as_given):
            raise IdempotencyMismatch(
                "This idempotency key was used for something else: take a new one for a new intent.",
                ("idempotencyKey",),
            )
        assert outcome is not None, "whoever writes the key says what came of it in the same transaction"
        if (refused := outcome.get("refused")) is not None:
            raise load(refused)
        return UUID(outcome["id"])

    def row(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Return the key's row, with the outcome of the intent."""
        return {
            "owner_id": self.owner_id,
            "key": self.key,
            "field": self.field,
            "arguments_hash": self.digest,
            "outcome": outcome,
        }


async def once(
    sessions: Sessions,
    intent: Intent,
    locks: Locks,
    act: Callable[[LedgerTransaction], Awaitable[UUID]],
) -> UUID:
    """Act in one ledger transaction unless the key already has; return the resulting id.

    `locks` are taken before the key is read. Raise IdempotencyMismatch if the key was used for another field
    or other arguments, and what the act raises, now or again.
    """

    async def read(ledger: LedgerTransaction) -> KeyState:
        return await find_key(ledger.connection, ledger.owner_id, intent.key)

    async def decide(ledger: LedgerTransaction, _: KeyState) -> tuple[UUID, None]:
        return await act(ledger), None

    return (await once_knowing(sessions, intent, locks, read, decide)).id


async def once_knowing(
    sessions: Sessions,
    intent: Intent,
    locks: Locks,
    read: Callable[[LedgerTransaction], Awaitable[KeyedT]],
    decide: Callable[[LedgerTransaction, KeyedT], Awaitable[tuple[UUID, ResultT]]],
) -> IntentResult[KeyedT, ResultT]:
    """Do the same as `once`, with what has to be known read together with the key; also return what was made.

    An error that `read` raises is not kept. `decide` adds the writes, and raises its errors before it adds
    any.

    The key is written last and not claimed first: two attempts of one intent wait for the same lock, or the
    second fails on the key's own uniqueness, as does another intent under the key; it is then tried again.
    """

    async def attempt(ledger: LedgerTransaction) -> IntentResult[KeyedT, ResultT] | DomainError:
        known = await read(ledger)
        if known.key_field is not None:
            assert known.key_hash is not None
            assert known.key_outcome is not None
            return IntentResult(intent.again(known.key_field, known.key_hash, known.key_outcome), known, None)
        try:
            id, result = await decide(ledger, known)
        except DomainError as domain_error:
            ledger.forget()
            ledger.batch.insert("idempotency_keys", intent.row({"refused": dump(domain_error)}))
            return domain_error
        ledger.batch.insert("idempotency_keys", intent.row({"id": str(id)}))
        return IntentResult(id, known, result)

    made = await transact(sessions, intent.owner_id, locks, attempt, intent.login)
    # An error is raised outside the transaction, which would otherwise roll back the record of it.
    if isinstance(made, DomainError):
        raise made
    return made


async def once_in_session(
    sessions: Sessions,
    owner_id: UUID,
    key: str,
    field: str,
    arguments: Mapping[str, object],
    effect: Effect,
) -> UUID:
    """Do the same for an effect outside the ledger, over a session, in a savepoint that an error rolls back.

    Raise InvalidInput if the key is not a UUID, IdempotencyMismatch if it was used for another field or other
    arguments, and the effect's own DomainError, now or again.
    """
    intent = Intent.of(owner_id, key, field, arguments)

    async def claim_and_act(session: Session) -> UUID | DomainError:
        if not await idempotency.claim(session, owner_id, intent.key, field, intent.digest):
            kept = await idempotency.find(session, owner_id, intent.key)
            return intent.again(kept["field"], kept["arguments_hash"], kept["outcome"])
        try:
            async with session.begin_nested():
                id = await effect(session)
        except DomainError as domain_error:
            await idempotency.keep(session, owner_id, intent.key, {"refused": dump(domain_error)})
            return domain_error
        await idempotency.keep(session, owner_id, intent.key, {"id": str(id)})
        return id

    outcome = await sessions.transact(owner_id, claim_and_act)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


async def find_kept(
    sessions: Sessions, owner_id: UUID, key: str, field: str, arguments: Mapping[str, object]
) -> UUID | None:
    """Return the result of the key without doing anything; None for a new key, and one in progress.

    It is for work that has to prepare outside the transaction, which a retry need not do. Raise as `once`
    does.
    """
    intent = Intent.of(owner_id, key, field, arguments)
    async with sessions.begin(owner_id) as session:
        kept = await idempotency.find_if_there(session, owner_id, intent.key)
    if kept is None or kept["outcome"] is None:
        return None
    return intent.again(kept["field"], kept["arguments_hash"], kept["outcome"])


def _digest(value: object, text: Callable[[object], str]) -> bytes:
    return hashlib.sha256(json.dumps(value, default=text, sort_keys=True).encode()).digest()


def _text(value: object) -> str:
    return decimal(value) if isinstance(value, Decimal) else str(value)


def _parse(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise InvalidInput("An idempotency key is a UUID.", ("idempotencyKey",)) from None


def dump(domain_error: DomainError) -> dict[str, Any]:
    """Return an error as JSON, with its class and its fields."""
    kind = type(domain_error)
    return {"kind": kind.__name__, "facts": TypeAdapter(kind).dump_python(domain_error, mode="json")}


def load(kept: Mapping[str, Any]) -> DomainError:
    """Return the error that `dump` converted to this JSON."""
    kind: type[DomainError] = getattr(errors, kept["kind"])
    return TypeAdapter(kind).validate_python(kept["facts"])
