"""What a symbol means to an owner: their own instrument of that symbol, else the shared one.

It never means another user's instrument. Row-level security enforces the same; these repeat it where it is
read as well.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from db.models.market import Instrument

_SEEN = "(owner_id IS NULL OR owner_id = {owner})"

MEANT = f"""(SELECT DISTINCT ON (symbol) * FROM instruments
    WHERE symbol = ANY({{symbols}}) AND {_SEEN} ORDER BY symbol, owner_id)"""
"""SQL of the instruments that these symbols mean to the owner; nulls sort last, so an own one goes first."""

MEANT_BY_ONE = f"""LATERAL (SELECT * FROM instruments
    WHERE symbol = {{symbol}} AND {_SEEN} ORDER BY owner_id LIMIT 1)"""
"""The same for one symbol, for a join."""


def meant(owner_id: UUID | None, symbols: Sequence[str]) -> Select[Instrument]:
    """Return the query of the instruments that these symbols mean to an owner; without one, shared ones."""
    return (
        select(Instrument)
        .ext(distinct_on(Instrument.symbol))
        .where(
            Instrument.symbol.in_(symbols),
            or_(Instrument.owner_id.is_(None), Instrument.owner_id == owner_id),
        )
        .order_by(Instrument.symbol, Instrument.owner_id)
    )
