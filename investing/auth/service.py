"""The door: registering, logging in, staying in, leaving, and who stands behind a token."""

import datetime as dt
from uuid import UUID

from db.auth import audit, queries, writes
from db.ids import uuid7
from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.audit import origin_of
from investing.auth.attempts import Attempts
from investing.auth.passwords import Passwords
from investing.auth.refresh_tokens import new_refresh_token, read_refresh_token
from investing.auth.tokens import AccessTokens, Claims, InvalidToken
from investing.auth.types import LoggedIn, NotLoggedIn, Viewer
from investing.rules.auth import registration
from investing.rules.auth.refreshing import Verdict, judge
from investing.rules.errors import EmailTaken, InvalidRefreshToken, NameTaken, WrongCredentials
from investing.rules.time_zones import DEFAULT


class AuthService:
    """Lets users in and out. A login is a session; its id is that of its family of refresh tokens.

    Who registers has `time_zone`, an IANA name, until they choose another.
    """

    def __init__(
        self,
        sessions: Sessions,
        tokens: AccessTokens,
        passwords: Passwords,
        refresh_lifetime: dt.timedelta = dt.timedelta(days=30),
        *,
        most_attempts: int = 0,
        time_zone: str = DEFAULT,
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._refresh_lifetime = refresh_lifetime
        self._attempts = Attempts(sessions, most_attempts)
        self._time_zone = time_zone

    async def register(
        self, username: str, email: str, password: str, full_name: str | None, client: RequestOrigin
    ) -> LoggedIn:
        """Makes a user and logs them in.

        Raises InvalidInput, WeakPassword, NameTaken, EmailTaken and TooManyAttempts.
        """
        username = registration.username(username)
        email = registration.email(email)
        full_name = registration.full_name(full_name)
        password = registration.password(password)
        await self._attempts.registration(client.ip_address)
        password_hash = await self._passwords.hash(password)
        user_id = uuid7()
        refresh_token, token_hash = new_refresh_token(user_id)
        async with self._sessions.begin(user_id) as session:
            taken = await writes.add_user(
                session, user_id, username, email, full_name, password_hash, self._time_zone
            )
            if username.lower() in taken:
                raise NameTaken("This username is taken.", ("username",))
            if taken:
                raise EmailTaken
            session_id = await writes.start_family(session, user_id, token_hash, self._refresh_lifetime)
            entity = ("session", session_id)
            await audit.record(session, user_id, "user.registered", origin_of(client), entity=entity)
        return self._logged_in(user_id, session_id, refresh_token)

    async def login(self, identifier: str, password: str, client: RequestOrigin) -> LoggedIn:
        """Logs in by username or e-mail address, in any case of letters.

        Raises WrongCredentials, and TooManyAttempts before anything is looked at that costs time or tells.

        A name that nobody has goes through the same steps with an id that nobody has: what is wrong shows
        neither in the answer nor in its time.
        """
        name = registration.normalize_identifier(identifier)
        # By what was typed: were it by the user, a name that is full would tell whose the other one is.
        attempt = await self._attempts.login(name, client.ip_address)
        user_id = await queries.user_id_of(self._sessions, name) or uuid7()
        found = await queries.credentials(self._sessions, user_id)
        stored = found.password_hash if found and found.is_active else None
        checked = await self._passwords.verify(password, stored)
        if stored is None or not checked.is_right:
            await self._note_failure(user_id, "password" if stored else "deactivated", client)
            raise WrongCredentials
        refresh_token, token_hash = new_refresh_token(user_id)
        async with self._sessions.begin(user_id) as session:
            renewed_from = (stored, checked.renewed) if checked.renewed else None
            if not await writes.record_login(session, user_id, renewed_from):
                raise WrongCredentials
            session_id = await writes.start_family(session, user_id, token_hash, self._refresh_lifetime)
            entity = ("session", session_id)
            await audit.record(session, user_id, "user.logged_in", origin_of(client), entity=entity)
        await attempt.was_right()
        return self._logged_in(user_id, session_id, refresh_token)

    async def refresh(self, refresh_token: str, client: RequestOrigin) -> LoggedIn:
        """Changes a refresh token for the next one and a new access token. Raises InvalidRefreshToken.

        A token that was used before ends its whole session, also when both uses come at once.
        """
        shown = read_refresh_token(refresh_token)
        if shown is None:
            raise InvalidRefreshToken
        owner_id = shown.owner_id
        next_token, next_hash = new_refresh_token(owner_id)
        async with self._sessions.begin(owner_id) as session:
            link = await queries.lock_link(session, owner_id, shown.token_hash)
            if link is None:
                raise InvalidRefreshToken
            entity = ("session", link.family_id)
            verdict = judge(revoked=link.revoked, used=link.used, expired=link.expired, active=link.active)
            if verdict is Verdict.ROTATE:
                life = self._refresh_lifetime
                await writes.replace_link(session, owner_id, link.family_id, link.id, next_hash, life)
                await audit.record(session, owner_id, "token.refreshed", origin_of(client), entity=entity)
            elif verdict is Verdict.REVOKE:
                await writes.revoke_family(session, owner_id, link.family_id)
                await audit.record(session, owner_id, "token.reused", origin_of(client), entity=entity)
        # Refused after the transaction, not inside: the end of a family has to be committed.
        if verdict is not Verdict.ROTATE:
            raise InvalidRefreshToken
        return self._logged_in(owner_id, link.family_id, next_token)

    async def logout(self, refresh_token: str, client: RequestOrigin) -> None:
        """Ends the session that any of its refresh tokens names; where there is none, nothing is wrong."""
        shown = read_refresh_token(refresh_token)
        if shown is None:
            return
        async with self._sessions.begin(shown.owner_id) as session:
            link = await queries.lock_link(session, shown.owner_id, shown.token_hash)
            if link is None or link.revoked:
                return
            await writes.revoke_family(session, shown.owner_id, link.family_id)
            entity = ("session", link.family_id)
            await audit.record(session, shown.owner_id, "user.logged_out", origin_of(client), entity=entity)

    def user_of(self, access_token: str) -> UUID:
        """Whose access token it is, also where that login has ended since. Raises NotLoggedIn."""
        return self._claims(access_token).user_id

    async def viewer(self, access_token: str) -> Viewer:
        """Who shows this access token. Raises NotLoggedIn. One SQL statement, for every operation."""
        claims = self._claims(access_token)
        row = await queries.viewer(self._sessions, claims.user_id, claims.session_id)
        if row is None:
            raise NotLoggedIn
        return Viewer(**row, session_id=claims.session_id, expires_at=claims.expires_at)

    def _claims(self, access_token: str) -> Claims:
        try:
            return self._tokens.verify(access_token)
        except InvalidToken:
            raise NotLoggedIn from None

    async def _note_failure(self, user_id: UUID, reason: str, client: RequestOrigin) -> None:
        async with self._sessions.begin(user_id) as session:
            details = {"reason": reason}
            await audit.record_if_known(session, user_id, "user.login_failed", origin_of(client), details)

    def _logged_in(self, user_id: UUID, session_id: UUID, refresh_token: str) -> LoggedIn:
        text, expires_at = self._tokens.issue(user_id, session_id, dt.datetime.now(dt.UTC))
        return LoggedIn(user_id, text, refresh_token, expires_at)
