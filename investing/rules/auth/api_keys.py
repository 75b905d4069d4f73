"""Validation of a broker's credentials, and what is shown of them."""

from db.vocabulary import Broker
from investing.rules.errors import InvalidInput

LONGEST_KEY = 200
LONGEST_SECRET = 8_000
"""A private key in PEM format has some 3,300 characters."""
MOST_API_KEYS = 100
"""How many API keys a user may have."""
HINT_LENGTH = 4
"""How many of a key's last characters are shown, though never more than a quarter of the key."""


def checked_key(key: str) -> str:
    """Return the key's id at its broker without surrounding space.

    Raise InvalidInput if it is empty, too long, or has characters other than letters, digits and punctuation.
    """
    key = key.strip()
    if not 1 <= len(key) <= LONGEST_KEY:
        raise InvalidInput(f"An API key has 1 to {LONGEST_KEY} characters.", ("apiKey",))
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput("An API key has letters, digits and punctuation only.", ("apiKey",))
    return key


def checked_secret(broker: Broker, secret: str | None) -> str | None:
    """Return the secret without surrounding space; it may have several lines, as a private key has.

    It is None for a broker that issues none. Raise InvalidInput if it is missing, empty, too long, or has
    unprintable characters.
    """
    if secret is None:
        if broker is Broker.ALPACA:
            raise InvalidInput("Alpaca's keys have a secret: give it as well.", ("apiSecret",))
        return None
    secret = secret.strip()
    if not 1 <= len(secret) <= LONGEST_SECRET:
        raise InvalidInput(f"A secret has 1 to {LONGEST_SECRET:,} characters.", ("apiSecret",))
    lines = secret.replace("\r\n", "\n").split("\n")
    if not secret.isascii() or not all(line.isprintable() for line in lines):
        raise InvalidInput("A secret has letters, digits, punctuation and lines only.", ("apiSecret",))
    return secret


def hint_of(key: str) -> str:
    """Return the last characters of a key, to recognise it by; fewer or none of a short one."""
    shown = min(HINT_LENGTH, len(key) // 4)
    return "…" + key[len(key) - shown :]
