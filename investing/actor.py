"""Who acts, from where, and over which connections: what every service that writes is given."""

from dataclasses import dataclass
from uuid import UUID

from db.sessions import Sessions
from investing.auth.types import RequestOrigin


@dataclass(frozen=True)
class Actor:
    """A viewer who writes their own things."""

    id: UUID
    sessions: Sessions
    client: RequestOrigin
