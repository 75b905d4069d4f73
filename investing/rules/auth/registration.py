"""Validation of usernames, e-mail addresses, full names and passwords."""

import re
import unicodedata

from investing.rules.errors import InvalidInput, WeakPassword

MIN_PASSWORD = 10
MAX_PASSWORD = 128
MAX_EMAIL = 254
MAX_FULL_NAME = 200

# A letter first and no @, so that a username never looks like an e-mail address: both share one look-up.
_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,31}")

# ASCII only, so that lower case means the same to Python and to PostgreSQL and no two addresses look alike.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+{_LABEL}")

# Control characters, lone surrogates (which UTF-8 cannot encode) and line separators.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
# These change the direction of the text that follows, and so let one name pass for another.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def username(text: str) -> str:
    """Return the username as it is displayed; raise InvalidInput if it is not a valid one."""
    if not _USERNAME.fullmatch(text):
        raise InvalidInput(
            "A username has 3 to 32 characters: letters, digits, dots, hyphens and underscores, "
            "and starts with a letter.",
            ("username",),
        )
    return text


def email(text: str) -> str:
    """Return the e-mail address as it was typed; raise InvalidInput if it is not a valid one."""
    if len(text) > MAX_EMAIL or not _EMAIL.fullmatch(text):
        raise InvalidInput("This is not an e-mail address.", ("email",))
    return text


def full_name(text: str | None) -> str | None:
    """Return the name without surrounding space, None for an empty one.

    Raise InvalidInput if it is too long or has control characters.
    """
    if text is None:
        return None
    if not is_printable(text):
        raise InvalidInput("A name has no control characters.", ("fullName",))
    stripped = text.strip()
    if len(stripped) > MAX_FULL_NAME:
        raise InvalidInput(f"A name has at most {MAX_FULL_NAME} characters.", ("fullName",))
    return stripped or None


def password(text: str) -> str:
    """Return the password unchanged: nothing is cut off or folded.

    Raise WeakPassword if it is too short, InvalidInput if it is too long or has control characters.
    """
    if len(text) < MIN_PASSWORD:
        raise WeakPassword(min_length=MIN_PASSWORD)
    if len(text) > MAX_PASSWORD:
        raise InvalidInput(f"A password has at most {MAX_PASSWORD} characters.", ("password",))
    if not is_printable(text):
        raise InvalidInput("A password has no control characters.", ("password",))
    return text


def normalize_identifier(identifier: str) -> str:
    """Return a typed username or e-mail address the way logins are stored: in lower case.

    Text that could never have been registered becomes the empty text, which belongs to nobody.
    """
    is_possible = len(identifier) <= MAX_EMAIL and identifier.isascii() and identifier.isprintable()
    return identifier.lower() if is_possible else ""


def is_printable(text: str) -> bool:
    """Return whether the text is free of control characters and can be stored."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(c) in _UNPRINTABLE or c in _BIDIRECTIONAL for c in text)
