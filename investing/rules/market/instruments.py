"""Validation of an instrument's currency and ISIN."""

import re

from investing.rules.errors import InvalidInput

MOST_OWN = 1_000
"""How many instruments of their own a user may have."""

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")

# ISO 4217, the 2024 list of current currencies and funds, without the codes for testing and for no currency.
CURRENCIES = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW "
    "KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN "
    "NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS "
    "SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND "
    "VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG".split()
)


def checked_currency(currency: str) -> str:
    """Return the currency's code; raise InvalidInput if ISO 4217 does not have it."""
    if currency not in CURRENCIES:
        raise InvalidInput(f"{currency[:60]} is not a currency code of ISO 4217.", ("currency",))
    return currency


def checked_isin(isin: str | None) -> str | None:
    """Return the ISIN in capitals, None if it is missing or empty; raise InvalidInput if it is mistyped.

    The last digit checks the others. Source: ISO 6166: letters become two digits (A is 10), every second
    digit from the right is doubled, and all digits add up to a multiple of ten.
    """
    isin = "" if isin is None else isin.strip().upper()
    if not isin:
        return None
    if not _ISIN.fullmatch(isin) or _digit_sum(isin) % 10:
        raise InvalidInput(f"{isin[:60]} is not an ISIN: its form or its check digit is wrong.", ("isin",))
    return isin


def _digit_sum(isin: str) -> int:
    digits = [int(digit) for digit in "".join(str(int(character, 36)) for character in isin)]
    doubled = (digit * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(sum(divmod(number, 10)) for number in doubled)
