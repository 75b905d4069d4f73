"""What a name may be."""

import unicodedata

from investing.rules.refusals import InvalidInput

LONGEST_NAME = 100


def checked_name(name: str) -> str:
    """The name without space around it. Raises InvalidInput for an empty, long or unprintable one."""
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"A name has 1 to {LONGEST_NAME} characters.", ("name",))
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise InvalidInput("A name has no control characters.", ("name",))
    return name
