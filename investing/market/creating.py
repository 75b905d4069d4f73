"""Create instruments: a user's own or, if the user is an administrator, shared ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from db.auth.writes import lock_user
from db.ids import uuid7
from db.market import writes
from db.sessions import Session
from db.vocabulary import AssetClass
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once_in_session
from investing.rules.errors import LimitReached, NameTaken
from investing.rules.market.instruments import MOST_OWN, checked_currency, checked_isin
from investing.rules.names import checked_name, checked_symbol


@dataclass(frozen=True)
class InstrumentRequest:
    """An instrument as the user describes it."""

    symbol: str
    name: str
    currency: str
    asset_class: AssetClass
    exchange: str | None
    isin: str | None


async def create_instrument(
    actor: Actor, new: InstrumentRequest, *, is_admin: bool, idempotency_key: str | None = None
) -> UUID:
    """Create an instrument of the actor's own, or a shared one if they are an administrator; return its id.

    Without a key a retry cannot be told from a second request, but a symbol can exist only once. Raise
    InvalidInput, NameTaken if a shared instrument or one of the actor's has the symbol, LimitReached, or
    IdempotencyMismatch.
    """
    values: dict[str, Any] = {
        "symbol": checked_symbol(new.symbol),
        "name": checked_name(new.name),
        "currency": checked_currency(new.currency),
        "asset_class": new.asset_class.value,
        "exchange": None if new.exchange is None else checked_name(new.exchange, "exchange"),
        "isin": checked_isin(new.isin),
        "owner_id": None if is_admin else actor.id,
    }

    async def effect(session: Session) -> UUID:
        return await _create(session, actor, values)

    if idempotency_key is None:
        return await actor.sessions.transact(actor.id, effect)
    arguments = asdict(new)
    return await once_in_session(
        actor.sessions, actor.id, idempotency_key, "createInstrument", arguments, effect
    )


async def _create(session: Session, actor: Actor, values: Mapping[str, Any]) -> UUID:
    symbol, owner_id = values["symbol"], values["owner_id"]
    if owner_id is not None:
        # Otherwise two requests that count at the same time could both find room.
        await lock_user(session, owner_id)
        if await writes.has_shared(session, symbol):
            raise NameTaken(
                f"There is already an instrument {symbol}: use it, or another symbol.", ("symbol",)
            )
    id = uuid7()
    if not await writes.insert_instrument(session, {"id": id, **values}):
        whose = "There is already" if owner_id is None else "You already have"
        raise NameTaken(f"{whose} an instrument {symbol}.", ("symbol",))
    if owner_id is not None and await writes.count_own(session, owner_id) > MOST_OWN:
        raise LimitReached(f"You can have at most {MOST_OWN:,} instruments of your own.", limit=MOST_OWN)
    facts = {name: value for name, value in values.items() if name != "owner_id" and value is not None}
    is_own = owner_id is not None
    await note(session, actor.id, actor.client, "instrument.created", "Instrument", id, **facts, isOwn=is_own)
    return id
