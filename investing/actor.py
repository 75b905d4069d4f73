"""Who acts, from where, and through which sessions; every service that writes takes an actor."""

from dataclasses import dataclass
from uuid import UUID

from db.sessions import Sessions
from investing.auth.types import RequestOrigin


@dataclass(frozen=True)
class Actor:
    """A viewer who writes data of their own."""

    id: UUID
    sessions: Sessions
    client: RequestOrigin
