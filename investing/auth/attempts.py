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
        limits = [(1, f"name and address\n{name}\n{place}"), (MANY, f"name\n{name}")]
        if place:
            limits.append((MANY, f"address\n{place}"))
        return await self._take(limits)

    async def registration(self, address: str | None) -> None:
        """One more attempt to register, which tells what names there are. Raises TooManyAttempts."""
        place = _network(address)
        await self._take([(MANY, f"registrations\n{place}")] if place else [])

    async def _take(self, limits: list[tuple[int, str]]) -> "Attempt":
        """One attempt of each subject, which has so many times as many as one address for one name."""
        taken = Attempt(self._sessions, [])
        if not self._most:
            return taken
        # One after the other: whoever is over the first limit does not use up the next.
        for times, subject in limits:
            # Hashed: a table of what people typed for their names would hold passwords too.
            limit = _Limit(hashlib.sha256(subject.encode()).digest(), SPAN / (times * self._most))
            if seconds := await take(self._sessions, limit.subject, limit.step, SPAN):
                raise TooManyAttempts(seconds)
            taken.limits.append(limit)
        return taken


@dataclass(frozen=True)
class Attempt:
    """One that was let in."""

    sessions: Sessions
    limits: list[_Limit]

    async def was_right(self) -> None:
        """It does not count: who knows the password may come as often as they like."""
        for limit in self.limits:
            await give_back(self.sessions, limit.subject, limit.step)


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
