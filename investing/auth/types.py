"""The values that go through the door."""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID


class NotLoggedIn(Exception):
    """No access token, or one that opens nothing any more. Which of them is not said."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login's outcome. `expires_at` is the access token's; the refresh token is shown this once."""

    user_id: UUID
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. Good until `expires_at`, or until the session ends."""

    id: UUID
    username: str
    email: str
    full_name: str | None
    currency: str
    time_zone: str
    is_admin: bool
    is_active: bool
    created_at: dt.datetime
    last_login_at: dt.datetime | None
    session_id: UUID
    expires_at: dt.datetime
