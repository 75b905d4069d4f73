"""Validation of names and symbols."""

import unicodedata

from investing.rules.errors import InvalidInput, shortened

LONGEST_NAME = 100


def checked_name(name: str, field: str = "name") -> str:
    """Return the name without surrounding space.

    `field` is the name of the input field. Raise InvalidInput if the name is empty, too long or unprintable.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"A {field} has 1 to {LONGEST_NAME} characters.", (field,))
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise InvalidInput(f"A {field} has no control characters.", (field,))
    return name


LONGEST_SYMBOL = 32
_PUNCTUATION = frozenset(".^=_-/&+'$#:@*!%")
"""The ASCII characters that a symbol may contain besides letters, digits and single spaces."""


def folded_symbol(symbol: str) -> str:
    """Return the canonical spelling of a symbol: NFC, upper case, without surrounding space.

    A letter whose upper case is several letters, or belongs to another alphabet, stays as it is: the upper
    case of the dotless i is that of the i, and they are not the same letter.
    """
    text = unicodedata.normalize("NFC", symbol.strip())
    return text.upper() if text.isascii() else "".join(map(_capital, text))


def _capital(letter: str) -> str:
    capital = letter.upper()
    is_one = len(capital) == 1 and letter.isascii() == capital.isascii() and capital.lower() == letter
    return capital if is_one else letter


def is_symbol(symbol: str) -> bool:
    """Return whether a text is a symbol in its canonical spelling.

    That is 1 to 32 letters and digits of any script, `.^=_-/&+'$#:@*!%` and single spaces, starting with a
    letter, a digit or ^. The database (`ck_instruments_symbol`) checks the same for ASCII, and for other
    characters only that they are neither spaces nor invisible.
    """
    if not 1 <= len(symbol) <= LONGEST_SYMBOL or symbol != folded_symbol(symbol) or "  " in symbol:
        return False
    first = symbol[0]
    return (first == "^" or _is_letter(first)) and all(
        character == " " or _is_letter(character) or character in _PUNCTUATION for character in symbol
    )


def checked_symbol(symbol: str, field: str = "symbol") -> str:
    """Return the canonical spelling of a symbol.

    `field` is the name of the input field. Raise InvalidInput if the text is not a symbol.
    """
    folded = folded_symbol(symbol)
    if not is_symbol(folded):
        raise InvalidInput(
            f"{_quoted(symbol)} is not a symbol: give 1 to {LONGEST_SYMBOL} letters, digits, single spaces "
            "and any of .^=_-/&+'$#:@*!%, starting with a letter, a digit or ^.",
            (field,),
        )
    return folded


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _quoted(text: str) -> str:
    return repr(shortened(text))
