"""Identifiers of securities: ISIN (ISO 6166) and CUSIP (ANSI X9.6)."""

import re

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_CUSIP = re.compile(r"[A-Z0-9*@#]{8}[0-9]")


def isins_of(identifier: str) -> list[str]:
    """Return the ISINs that an identifier may stand for.

    That is itself, or those of a CUSIP in the United States and in Canada; none if it is neither or its check
    digit is wrong.
    """
    text = identifier.strip().upper()
    if _ISIN.fullmatch(text):
        return [text] if text[-1] == isin_check_digit(text[:-1]) else []
    if _CUSIP.fullmatch(text) and text[-1] == cusip_check_digit(text[:-1]) and text.isalnum():
        return [number + isin_check_digit(number) for number in (f"US{text}", f"CA{text}")]
    return []


def isin_check_digit(number: str) -> str:
    """Return the check digit of the first 11 characters.

    It is Luhn's, with letters as 10 to 35 (ISO 6166).
    """
    digits = "".join(str(int(character, 36)) for character in number)
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def cusip_check_digit(number: str) -> str:
    """Return the check digit of the first 8 characters, every second one doubled (ANSI X9.6)."""
    total = 0
    for index, character in enumerate(number):
        value = int(character, 36) if character.isalnum() else 36 + "*@#".index(character)
        value *= 2 if index % 2 else 1
        total += value // 10 + value % 10
    return str(-total % 10)
