"""What a name may be."""

import unicodedata

from investing.rules.refusals import InvalidInput

LONGEST_NAME = 100


def checked_name(name: str, field: str = "name") -> str:
    """The name without space around it. Raises InvalidInput for an empty, long or unprintable one.

    `field` is what the input calls it.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"A {field} has 1 to {LONGEST_NAME} characters.", (field,))
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise InvalidInput(f"A {field} has no control characters.", (field,))
    return name
