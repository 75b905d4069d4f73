"""Words that banks and brokers use for interest and fees, where they only say that cash moved."""

import re
from decimal import Decimal
from typing import Final

from db.vocabulary import TransactionType

Kinds = tuple[TransactionType, TransactionType]
"""What a row is when it brings cash, and when it takes it."""

FLOW: Final = (TransactionType.DEPOSIT, TransactionType.WITHDRAWAL)
COST: Final = (TransactionType.INTEREST, TransactionType.FEE)
TAX: Final = (TransactionType.INTEREST, TransactionType.TAX)
_BY_TYPE: Final = {
    **dict.fromkeys(("INT", "DIV", "FEE", "SRVCHG"), COST),
    "XFER": (TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT),
}
"""By OFX's TRNTYPE; any other value may be interest or a fee by its words, or else is a flow."""

_INCOME = re.compile(
    r"\bINTEREST\b(?! (?:BEARING|CHECKING|SAVINGS))"
    r"|\bINT (?:EARNED|PAID|PAYMENT|PYMT|CREDIT)\b|\b(?:CREDIT|BANK|CASH|MARGIN) INT\b|\bDIVIDENDS?\b"
)
_CHARGE = re.compile(r"(?<!\bNO )\bFEES?\b(?! (?:FREE|WAIVED))|\b(?:SERVICE|MAINTENANCE) CH(?:AR)?GE?\b")
_WITHHELD = re.compile(r"\bWITHHOLDING\b|\bWITHHELD\b|\bFOREIGN TAX\b|\bNRA TAX\b")


def bank_types(trntype: str, amount: Decimal, words: str) -> tuple[Kinds, str]:
    """Return what a row of cash is by its OFX type, its sign and its words; and a remark for the owner.

    The words are only considered if the type says no more than that cash came or went.
    """
    if trntype in _BY_TYPE:
        return _BY_TYPE[trntype], ""
    kinds = worded(words)
    if kinds is FLOW:
        return FLOW, ""
    type = kinds[0] if amount > 0 else kinds[1]
    return kinds, f"“{' '.join(words.split())}” ({trntype}) is taken as {type}."


def worded(words: str) -> Kinds:
    """Return what words say of a row of cash: a tax, a fee, interest or a dividend, or else a flow."""
    text = " ".join(re.sub(r"[^A-Z0-9]+", " ", words.upper()).split())
    if _WITHHELD.search(text):
        return TAX
    return COST if _CHARGE.search(text) or _INCOME.search(text) else FLOW
