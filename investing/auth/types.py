"""The values that authentication takes and returns."""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID


class NotLoggedIn(Exception):
    """There is no access token, or it is not valid any more; which of them is not revealed."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The result of a login.

    `expires_at` is the access token's; the refresh token is shown only this once. `device_token` is what the
    device shows at its next login, None if it has none.
    """

    user_id: UUID
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: dt.datetime
    device_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user who makes a request. Valid until `expires_at`, or until the session ends."""

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
