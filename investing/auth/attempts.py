"""Attempts to come in: so many, and then no more for a while, whichever process is asked."""

import datetime as dt
import hashlib
import ipaddress
from dataclasses import dataclass

from db.auth.attempts import give_back, take
from db.sessions import Sessions

SPAN = dt.timedelta(minutes=10)
"""So long it takes until all attempts are there again."""
MANY = 10
"""So many times as many as from one address to one name are let in to one name, and from one address."""


class TooManyAttempts(Exception):
    """No more attempts for now; `seconds` says how long."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many attempts: try again in {seconds} seconds.")
        self.seconds = seconds


@dataclass(frozen=True)
class _Limit:
    subject: bytes
    step: dt.timedelta


class Attempts:
    """Counts them in the database, so that several processes let in no more than one; `most` is 0 for all.

    From one address to one name there are `most` in ten minutes. So that nobody is shut out by somebody else
    who tries their name, it takes ten addresses until a name is full. One address has ten times as many for
    all the names that it tries.
    """

    def __init__(self, sessions: Sessions, most: int) -> None:
        self._sessions = sessions
        self._most = most

    async def login(self, name: str, address: str | None) -> "Attempt":
        """One more attempt to log in; counted before anything is looked at. Raises TooManyAttempts."""
        place = _network(address)
        limits = [self._limit(1, "name and address", name, place), self._limit(MANY, "name", name)]
        if place:
            limits.append(self._limit(MANY, "address", place))
        return await self._take(limits)

    async def registration(self, address: str | None) -> None:
        """One more attempt to register, which tells what names there are. Raises TooManyAttempts."""
        place = _network(address)
        await self._take([self._limit(MANY, "registrations", place)] if place else [])

    def _limit(self, times: int, *subject: str) -> _Limit:
        """`times` as many attempts as there are from one address to one name."""
        # Hashed: a table of what people typed for their names would hold passwords too.
        digest = hashlib.sha256("\n".join(subject).encode()).digest()
        return _Limit(digest, SPAN / (times * self._most) if self._most else SPAN)

    async def _take(self, limits: list[_Limit]) -> "Attempt":
        if not self._most:
            return Attempt(self._sessions, [])
        # One after the other: whoever is over the first limit does not use up the next.
        for limit in limits:
            if seconds := await take(self._sessions, limit.subject, limit.step, SPAN):
                raise TooManyAttempts(seconds)
        return Attempt(self._sessions, limits)


@dataclass(frozen=True)
class Attempt:
    """One that was let in."""

    _sessions: Sessions
    _limits: list[_Limit]

    async def was_right(self) -> None:
        """It does not count: who knows the password may come as often as they like."""
        for limit in self._limits:
            await give_back(self._sessions, limit.subject, limit.step)


def _network(address: str | None) -> str:
    """What one client can have all of: an IPv4 address, or the 64 bits of an IPv6 network."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)
