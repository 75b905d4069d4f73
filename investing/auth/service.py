"""The authentication service: register, log in, refresh, log out, and identify the user of a token."""

import datetime as dt
import logging
from uuid import UUID

from db.auth import audit, queries, writes
from db.ids import uuid7
from db.sessions import Sessions
from investing.actor import RequestOrigin
from investing.audit import origin_of
from investing.auth.attempts import Attempts, TooManyAttempts
from investing.auth.passwords import Passwords
from investing.auth.refresh_tokens import new_refresh_token, read_refresh_token
from investing.auth.tokens import AccessTokens, Claims, InvalidToken
from investing.auth.types import LoggedIn, NotLoggedIn, Viewer
from investing.rules.auth import registration
from investing.rules.auth.refreshing import Verdict, judge
from investing.rules.errors import EmailTaken, InvalidRefreshToken, NameTaken, WrongCredentials
from investing.rules.time_zones import DEFAULT

logger = logging.getLogger("graphfolio.auth")


class AuthService:
    """Registration, login and logout.

    A login is a session; its id is that of its family of refresh tokens. A new user has `time_zone`, an IANA
    name, until they choose another.
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
        """Create a user and log them in.

        Raise InvalidInput, WeakPassword, NameTaken, EmailTaken or TooManyAttempts.
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
        """Log in by username or e-mail address, in any case of letters.

        Raise WrongCredentials, or TooManyAttempts before any step that takes time or reveals something.

        A name that nobody has goes through the same steps with an id that nobody has: neither the answer nor
        its timing shows what was wrong.
        """
        name = registration.normalize_identifier(identifier)
        # Counted by what was typed: if it were by the user, a username and an e-mail address that run out
        # together would reveal that they belong to the same user.
        try:
            attempt = await self._attempts.login(name, client.ip_address)
        except TooManyAttempts:
            _log_failure("too_many_attempts", client)
            raise
        user_id = await queries.user_id_of(self._sessions, name) or uuid7()
        found = await queries.credentials(self._sessions, user_id)
        stored = found.password_hash if found and found.is_active else None
        checked = await self._passwords.verify(password, stored)
        if stored is None or not checked.is_right:
            await self._note_failure(user_id, "password" if stored else "deactivated", client)
            _log_failure("wrong_credentials", client)
            raise WrongCredentials
        refresh_token, token_hash = new_refresh_token(user_id)
        async with self._sessions.begin(user_id) as session:
            renewed_from = (stored, checked.renewed) if checked.renewed else None
            if not await writes.record_login(session, user_id, renewed_from):
                _log_failure("wrong_credentials", client)
                raise WrongCredentials
            session_id = await writes.start_family(session, user_id, token_hash, self._refresh_lifetime)
            entity = ("session", session_id)
            await audit.record(session, user_id, "user.logged_in", origin_of(client), entity=entity)
        await attempt.refund()
        return self._logged_in(user_id, session_id, refresh_token)

    async def refresh(self, refresh_token: str, client: RequestOrigin) -> LoggedIn:
        """Exchange a refresh token for the next one and a new access token. Raise InvalidRefreshToken.

        A token that was used before ends its whole session, even if both uses come at the same time.
        """
        shown = read_refresh_token(refresh_token)
        if shown is None:
            _log_failure("refresh_token", client)
            raise InvalidRefreshToken
        owner_id = shown.owner_id
        next_token, next_hash = new_refresh_token(owner_id)
        async with self._sessions.begin(owner_id) as session:
            link = await queries.lock_link(session, owner_id, shown.token_hash)
            if link is None:
                _log_failure("refresh_token", client)
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
        # Raised after the transaction and not inside it, because the revocation has to be committed.
        if verdict is not Verdict.ROTATE:
            _log_failure("refresh_token_reused" if verdict is Verdict.REVOKE else "refresh_token", client)
            raise InvalidRefreshToken
        return self._logged_in(owner_id, link.family_id, next_token)

    async def logout(self, refresh_token: str, client: RequestOrigin) -> None:
        """End the session that any of its refresh tokens belongs to; if there is none, do nothing."""
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
        """Return whose access token it is, even if that login has ended since. Raise NotLoggedIn."""
        return self.claims(access_token).user_id

    async def viewer(self, access_token: str) -> Viewer:
        """Return the viewer of this access token. Raise NotLoggedIn.

        It takes one SQL statement, and is called for every operation.
        """
        claims = self.claims(access_token)
        row = await queries.viewer(self._sessions, claims.user_id, claims.session_id)
        if row is None:
            raise NotLoggedIn
        return Viewer(**row, session_id=claims.session_id, expires_at=claims.expires_at)

    def claims(self, access_token: str) -> Claims:
        """Return what a valid access token says, even if its login has ended since. Raise NotLoggedIn."""
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


def _log_failure(reason: str, client: RequestOrigin) -> None:
    """Log that somebody could not log in: from where, and neither the name nor whether there is one."""
    logger.warning("login failed", extra={"reason": reason, "ip_address": client.ip_address})
