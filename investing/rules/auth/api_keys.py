"""What a broker's credentials may be, and what is shown of them."""

from investing.rules.errors import InvalidInput

LONGEST_KEY = 200
LONGEST_SECRET = 8_000
"""A private key in PEM has some 3,300 characters."""
MOST_API_KEYS = 100
"""How many a user may have."""
HINT_LENGTH = 4
"""So many of a key's last characters are shown, and never more than a quarter of them."""


def checked_key(key: str) -> str:
    """The key's id at its broker, without space around it. Raises InvalidInput."""
    key = key.strip()
    if not 1 <= len(key) <= LONGEST_KEY:
        raise InvalidInput(f"An API key has 1 to {LONGEST_KEY} characters.", ("apiKey",))
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput("An API key has letters, digits and punctuation only.", ("apiKey",))
    return key


def checked_secret(secret: str) -> str:
    """The secret without space around it; it may have lines, as a private key has. Raises InvalidInput."""
    secret = secret.strip()
    if not 1 <= len(secret) <= LONGEST_SECRET:
        raise InvalidInput(f"A secret has 1 to {LONGEST_SECRET:,} characters.", ("apiSecret",))
    lines = secret.replace("\r\n", "\n").split("\n")
    if not secret.isascii() or not all(line.isprintable() for line in lines):
        raise InvalidInput("A secret has letters, digits, punctuation and lines only.", ("apiSecret",))
    return secret


def hint_of(key: str) -> str:
    """The last characters of a key, to tell it by: of a short one fewer, or none."""
    shown = min(HINT_LENGTH, len(key) // 4)
    return "…" + key[len(key) - shown :]
