"""Limits on login attempts: a number of them, then none for a while, in all processes together."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from db.auth.attempts import give_back, take
from db.sessions import Sessions
from investing.auth.devices import UNKNOWN, Recognised
from investing.auth.networks import network_of

SPAN = dt.timedelta(minutes=10)
"""How long it takes until all attempts are available again."""
MANY = 10
"""How many times the limit of one address for one name applies to one name, and to one address."""
AT_ONCE = 30
"""How many attempts of one address may be under way at once in one process."""


class TooManyAttempts(Exception):
    """No more attempts are allowed for now; `seconds` says for how long."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many attempts: try again in {seconds} seconds.")
        self.seconds = seconds


@dataclass(frozen=True)
class _Limit:
    subject: bytes
    step: dt.timedelta


class Attempts:
    """Count attempts in the database, so that several processes together allow no more than one would.

    One address has `most` attempts for one name in ten minutes; 0 means no limit. So that nobody can lock
    somebody else out by trying their name, it takes ten addresses to use a name up, and a device that its
    user has logged in from before is let in all the same: the limit of the name does not apply to an address
    that is known, and one that shows a token has attempts of its own. One address has ten times as many for
    all the names that it tries.
    """

    def __init__(self, sessions: Sessions, most: int) -> None:
        self._sessions = sessions
        self._most = most
        self._at_once: Counter[str] = Counter()

    @contextmanager
    def under_way(self, address: str | None, seconds: int = 1) -> Iterator[None]:
        """Count an attempt while it lasts; raise TooManyAttempts, for `seconds`, if its address has AT_ONCE.

        It comes before any statement: those of a flood would use up the connections that trades need.
        """
        network = network_of(address)
        if self._most and network and self._at_once[network] >= AT_ONCE:
            raise TooManyAttempts(seconds)
        self._at_once[network] += 1
        try:
            yield
        finally:
            self._at_once[network] -= 1
            if not self._at_once[network]:
                del self._at_once[network]

    async def login(self, name: str, address: str | None, recognised: Recognised = UNKNOWN) -> "Attempt":
        """Count one more attempt to log in, before the password is checked. Raise TooManyAttempts."""
        if recognised.device:
            return await self._take([(1, f"name and device\n{name}\n{recognised.device.hex()}")])
        network = network_of(address)
        limits = [(1, f"name and address\n{name}\n{network}")]
        if not recognised.by_network:
            limits.append((MANY, f"name\n{name}"))
        if network:
            limits.append((MANY, f"address\n{network}"))
        return await self._take(limits)

    async def registration(self, address: str | None) -> None:
        """Count one more attempt to register, which reveals whether a name exists. Raise TooManyAttempts."""
        network = network_of(address)
        await self._take([(MANY, f"registrations\n{network}")] if network else [])

    async def _take(self, limits: list[tuple[int, str]]) -> "Attempt":
        """Take one attempt of each subject.

        A subject has `times` as many attempts as one address has for one name.
        """
        taken = Attempt(self._sessions, [])
        if not self._most:
            return taken
        # One after the other, so that an attempt over the first limit does not use up the next.
        for times, subject in limits:
            # Hashed, because people sometimes type their password where the name belongs.
            limit = _Limit(hashlib.sha256(subject.encode()).digest(), SPAN / (times * self._most))
            if seconds := await take(self._sessions, limit.subject, limit.step, SPAN):
                # It is not looked at, so that it does not count: its seconds hold for the next one too.
                await taken.refund()
                raise TooManyAttempts(seconds)
            taken.limits.append(limit)
        return taken


@dataclass(frozen=True)
class Attempt:
    """An attempt that was allowed."""

    sessions: Sessions
    limits: list[_Limit]

    async def refund(self) -> None:
        """Take the attempt off the count: whoever knows the password may log in as often as they like."""
        for limit in self.limits:
            await give_back(self.sessions, limit.subject, limit.step)
