"""The authentication service: register, log in, refresh, log out, and identify the user of a token."""

import datetime as dt
import logging
from uuid import UUID

from db.auth import audit, devices, queries, writes
from db.ids import uuid7
from db.sessions import Session, Sessions
from investing.actor import RequestOrigin
from investing.audit import origin_of
from investing.auth.attempts import Attempts, TooManyAttempts
from investing.auth.devices import LIFETIME, Presented, new_device_token
from investing.auth.passwords import Passwords, Source
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
        """Create a user, log them in, and remember their device.

        Raise InvalidInput, WeakPassword, NameTaken, EmailTaken or TooManyAttempts.
        """
        username = registration.username(username)
        email = registration.email(email)
        full_name = registration.full_name(full_name)
        password = registration.password(password)
        device = Presented.by(client.ip_address, new_device_token())
        with self._attempts.under_way(client.ip_address, self._passwords.seconds_to_wait):
            await self._attempts.registration(client.ip_address)
            password_hash = await self._passwords.hash(password, Source(device.network))
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
            await devices.remember(session, user_id, device.digests, LIFETIME)
            await audit.record(session, user_id, "user.registered", origin_of(client), entity=entity)
        return self._logged_in(user_id, session_id, refresh_token, device.token)

    async def login(
        self, identifier: str, password: str, client: RequestOrigin, device_token: str | None = None
    ) -> LoggedIn:
        """Log in by username or e-mail address, in any case of letters.

        `device_token` is what an earlier login gave to the device, which is why it may get in while others
        try this name. Raise WrongCredentials, or TooManyAttempts, also if too many passwords wait.

        A name that nobody has goes through the same steps with an id that nobody has: neither the answer nor
        its timing shows what was wrong.
        """
        name = registration.normalize_identifier(identifier)
        device = Presented.by(client.ip_address, device_token)
        try:
            with self._attempts.under_way(client.ip_address, self._passwords.seconds_to_wait):
                # The password may be replaced while it is checked; then it is checked once more.
                found = await self._try_login(name, password, client, device) or await self._try_login(
                    name, password, client, device
                )
        except TooManyAttempts:
            _log_failure("too_many_attempts", client)
            raise
        if found is None:
            _log_failure("wrong_credentials", client)
            raise WrongCredentials
        return found

    async def _try_login(
        self, name: str, password: str, client: RequestOrigin, device: Presented
    ) -> LoggedIn | None:
        """Check the password and log in; None if another one was stored, or the user locked, meanwhile."""
        user_id = await queries.user_id_of(self._sessions, name) or uuid7()
        stored, known = await queries.credentials(self._sessions, user_id, device.digests)
        recognised = device.recognised(known)
        # Counted by what was typed: if it were by the user, a username and an e-mail address that run out
        # together would reveal that they belong to the same user.
        attempt = await self._attempts.login(name, client.ip_address, recognised)
        source = Source(device.network, recognised.is_known)
        try:
            checked = await self._passwords.verify(password, stored, source)
        except TooManyAttempts:
            # It was not looked at.
            await attempt.refund()
            raise
        if stored is None or not checked.is_right:
            await self._note_failure(user_id, "password" if stored else "deactivated", client)
            _log_failure("wrong_credentials", client)
            raise WrongCredentials
        started = await self._start_session(user_id, stored, checked.renewed, client, device.kept(recognised))
        await attempt.refund()
        return started

    async def _start_session(
        self, user_id: UUID, checked: str, renewed: str | None, client: RequestOrigin, device: Presented
    ) -> LoggedIn | None:
        refresh_token, token_hash = new_refresh_token(user_id)
        async with self._sessions.begin(user_id) as session:
            if not await writes.record_login(session, user_id, checked, renewed):
                return None
            session_id = await writes.start_family(session, user_id, token_hash, self._refresh_lifetime)
            entity = ("session", session_id)
            await devices.remember(session, user_id, device.digests, LIFETIME)
            await audit.record(session, user_id, "user.logged_in", origin_of(client), entity=entity)
        return self._logged_in(user_id, session_id, refresh_token, device.token)

    async def refresh(
        self, refresh_token: str, client: RequestOrigin, device_token: str | None = None
    ) -> LoggedIn:
        """Exchange a refresh token for the next one and a new access token. Raise InvalidRefreshToken.

        A token that was used before ends its whole session, even if both uses come at the same time. The
        device is remembered from now on by its address, and longer by the token that it shows.
        """
        shown = read_refresh_token(refresh_token)
        if shown is None:
            _log_failure("refresh_token", client)
            raise InvalidRefreshToken
        owner_id = shown.owner_id
        next_token, next_hash = new_refresh_token(owner_id)
        device = Presented.by(client.ip_address, device_token)
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
                device = await self._renew(session, owner_id, device)
                await audit.record(session, owner_id, "token.refreshed", origin_of(client), entity=entity)
            elif verdict is Verdict.REVOKE:
                await writes.revoke_family(session, owner_id, link.family_id)
                await audit.record(session, owner_id, "token.reused", origin_of(client), entity=entity)
        # Raised after the transaction and not inside it, because the revocation has to be committed.
        if verdict is not Verdict.ROTATE:
            _log_failure("refresh_token_reused" if verdict is Verdict.REVOKE else "refresh_token", client)
            raise InvalidRefreshToken
        return self._logged_in(owner_id, link.family_id, next_token, device.token)

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

    async def _renew(self, session: Session, owner_id: UUID, device: Presented) -> Presented:
        """Remember the device of a login that goes on; return it without a token that is not known."""
        known = await devices.known_of(session, owner_id, device.digests) if device.token else []
        if device.of_token not in known:
            device = Presented(device.network)
        await devices.remember(session, owner_id, device.digests, LIFETIME)
        return device

    async def _note_failure(self, user_id: UUID, reason: str, client: RequestOrigin) -> None:
        async with self._sessions.begin(user_id) as session:
            details = {"reason": reason}
            await audit.record_if_known(session, user_id, "user.login_failed", origin_of(client), details)

    def _logged_in(
        self, user_id: UUID, session_id: UUID, refresh_token: str, device_token: str | None
    ) -> LoggedIn:
        text, expires_at = self._tokens.issue(user_id, session_id, dt.datetime.now(dt.UTC))
        return LoggedIn(user_id, text, refresh_token, expires_at, device_token)


def _log_failure(reason: str, client: RequestOrigin) -> None:
    """Log that somebody could not log in: from where, and neither the name nor whether there is one."""
    logger.warning("login failed", extra={"reason": reason, "ip_address": client.ip_address})
