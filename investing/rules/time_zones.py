"""Which names of time zones are taken."""

import re
from functools import lru_cache
from zoneinfo import available_timezones

from investing.rules.errors import InvalidInput

DEFAULT = "America/New_York"
"""The time zone of accounts and users where nothing else is set."""

LONGEST = 64

# Of a region, such as Europe/Berlin or America/Argentina/Ushuaia. Short names such as EST mean other things
# to PostgreSQL than to others, and `localtime` is the server's own.
_NAME = re.compile(r"UTC|[A-Z][A-Za-z]*(?:/[A-Za-z0-9_+-]+){1,2}")


def checked_time_zone(name: str) -> str:
    """Return the name of a time zone of the IANA data base, as it stands there.

    Raises InvalidInput for any other. A name of which PostgreSQL does not know is found out by asking it.
    """
    if len(name) > LONGEST or not _NAME.fullmatch(name) or name not in _known():
        raise no_such_time_zone()
    return name


def no_such_time_zone() -> InvalidInput:
    """Return the refusal of a time zone that cannot be used here."""
    message = "There is no such time zone: give its IANA name, such as Europe/Berlin or UTC."
    return InvalidInput(message, ("timeZone",))


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
