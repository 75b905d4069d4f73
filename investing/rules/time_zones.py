"""Validation of time zone names."""

import re
from functools import lru_cache
from zoneinfo import available_timezones

from investing.rules.errors import InvalidInput

DEFAULT = "America/New_York"
"""The time zone of accounts and users where nothing else is set."""

LONGEST = 64

# Only UTC and names with a region, such as Europe/Berlin or America/Argentina/Ushuaia: PostgreSQL gives short
# names such as EST a meaning of its own, and `localtime` is whatever the server is set to.
_NAME = re.compile(r"UTC|[A-Z][A-Za-z]*(?:/[A-Za-z0-9_+-]+){1,2}")


def checked_time_zone(name: str) -> str:
    """Return the name of a time zone if the IANA database has it with this exact spelling.

    Raise InvalidInput otherwise. Whether PostgreSQL knows the name too is found out only by asking it.
    """
    if len(name) > LONGEST or not _NAME.fullmatch(name) or name not in _known():
        raise no_such_time_zone()
    return name


def no_such_time_zone() -> InvalidInput:
    """Return the error for a time zone that cannot be used here."""
    message = "There is no such time zone: give its IANA name, such as Europe/Berlin or UTC."
    return InvalidInput(message, ("timeZone",))


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
