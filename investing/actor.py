"""Who acts, from where, and through which sessions; every service that writes takes an actor."""

from dataclasses import dataclass
from uuid import UUID

from db.sessions import Sessions
from db.writing import UncheckedLogin


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where a request comes from, for the audit log. What is not known, or is a command, is None."""

    ip_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True)
class Actor:
    """A viewer who writes data of their own.

    A `login` is one that has not been checked yet: what writes the ledger checks it in its first statement,
    and raises LoginEnded. Without one it has been checked, or nobody has logged in, as in a command.
    """

    id: UUID
    sessions: Sessions
    client: RequestOrigin
    login: UncheckedLogin | None = None
