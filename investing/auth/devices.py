"""Devices that a user has logged in from before: they get in even while others attack the user's name.

A device is recognised by its address, or by a token that it was given at a login and shows at the next one.
The token logs nobody in. Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.
"""

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field

from investing.auth.networks import network_of

LIFETIME = dt.timedelta(days=90)
"""How long a device is remembered after its last login or refresh."""

_BYTES = 33
# As with refresh tokens, the prefix is for scanners, and 33 bytes have one spelling in 44 characters.
_PREFIX = "gfd_"
_FORM = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{44}}")


def new_device_token() -> str:
    """Return a token of 264 random bits."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True)
class Presented:
    """How a caller can be recognised: by their network, and by a token, if there is one of the right form."""

    network: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def by(cls, ip_address: str | None, token: str | None) -> "Presented":
        """Return it for an address and for what a client presents as its token, which may be anything."""
        return cls(network_of(ip_address), token if token is not None and _FORM.fullmatch(token) else None)

    @property
    def digests(self) -> list[bytes]:
        """The digests to look up and to store; only these are stored.

        They are plain SHA-256: nobody guesses 264 bits, and the audit log has the address in plain text.
        """
        return [digest for digest in (self.of_network, self.of_token) if digest]

    @property
    def of_network(self) -> bytes | None:
        """The digest of the network, None if it is not known."""
        return _digest(f"network\n{self.network}") if self.network else None

    @property
    def of_token(self) -> bytes | None:
        """The digest of the token, None if there is none."""
        return _digest(f"token\n{self.token}") if self.token else None

    def recognised(self, known: Collection[bytes]) -> "Recognised":
        """Return by which of the two the device is known to a user who knows these digests."""
        by_token = self.of_token is not None and self.of_token in known
        return Recognised(
            by_network=self.of_network is not None and self.of_network in known,
            device=self.of_token if by_token else None,
        )

    def kept(self, recognised: "Recognised") -> "Presented":
        """Return the same with a token to keep: the one that was recognised, or else a new one."""
        return self if recognised.device else Presented(self.network, new_device_token())


@dataclass(frozen=True)
class Recognised:
    """What is known of a device: that the user has logged in from its network, and the token's digest."""

    by_network: bool = False
    device: bytes | None = None

    @property
    def is_known(self) -> bool:
        """Whether the user has logged in from the device before, as far as it can be told."""
        return self.by_network or self.device is not None


UNKNOWN = Recognised()
"""A device that the user has not logged in from, as far as it can be told."""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
