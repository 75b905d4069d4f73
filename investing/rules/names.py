"""What a name may be."""

import unicodedata

from investing.rules.errors import InvalidInput

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


LONGEST_SYMBOL = 32
_PUNCTUATION = frozenset(".^=_-/&+'$#:@*!%")
"""What may stand in a symbol beside letters, digits and single spaces, of ASCII."""


def folded_symbol(symbol: str) -> str:
    """Return the one spelling of a symbol: composed (NFC), in capitals, without space around it.

    A letter whose capital is several letters, or one of another alphabet, stays as it is: the capital of the
    dotless i is that of the i, and they are not the same.
    """
    text = unicodedata.normalize("NFC", symbol.strip())
    return text.upper() if text.isascii() else "".join(map(_capital, text))


def _capital(letter: str) -> str:
    capital = letter.upper()
    is_one = len(capital) == 1 and letter.isascii() == capital.isascii() and capital.lower() == letter
    return capital if is_one else letter


def is_symbol(symbol: str) -> bool:
    """Return whether a text is a symbol in its one spelling: 1 to 32 letters and digits of any script,
    `.^=_-/&+'$#:@*!%` and single spaces, beginning with a letter, a digit or ^.

    The database checks the same for ASCII (`ck_instruments_symbol`), and no more than that for the rest.
    """
    if not 1 <= len(symbol) <= LONGEST_SYMBOL or symbol != folded_symbol(symbol) or "  " in symbol:
        return False
    first = symbol[0]
    return (first == "^" or _is_letter(first)) and all(
        character == " " or _is_letter(character) or character in _PUNCTUATION for character in symbol
    )


def checked_symbol(symbol: str, field: str = "symbol") -> str:
    """Return the one spelling of a symbol. Raises InvalidInput for what is none; `field` is what the input
    calls it.
    """
    folded = folded_symbol(symbol)
    if not is_symbol(folded):
        raise InvalidInput(
            f"{_quoted(symbol)} is no symbol: 1 to {LONGEST_SYMBOL} letters, digits, single spaces and "
            "any of .^=_-/&+'$#:@*!%, a letter, a digit or ^ first.",
            (field,),
        )
    return folded


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
