"""The table of change counters."""

from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, of_user, one_of
from db.vocabulary import COUNTED_TOPICS


class ChangeCounter(Base):
    """The number of changes of a topic for an owner; triggers count them, in the same transaction.

    It has no owner policy on purpose: a process reads the counters of all owners that listen there at once.
    """

    __tablename__ = "change_counters"
    __table_args__ = (of_user(), one_of("topic", COUNTED_TOPICS))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    changes: Mapped[int] = mapped_column(BigInteger)
