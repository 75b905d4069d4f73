"""Warnings about something that was done: a code for programs and a sentence for people."""

from dataclasses import dataclass

from db.vocabulary import PriceBasis, TransactionType


@dataclass(frozen=True, slots=True)
class Warning:
    """A code for programs and a sentence for people."""

    code: str
    message: str


def warnings_of_entry(type: TransactionType, symbol: str | None, basis: str | None) -> tuple[Warning, ...]:
    """Return the warnings about a ledger entry; `basis` is what its instrument's prices are adjusted for.

    Fully adjusted prices already contain a dividend, as growth: together with the cash it would count twice.
    """
    if type is TransactionType.DIVIDEND and basis == PriceBasis.ADJUSTED:
        return (
            Warning(
                "ADJUSTED_PRICES",
                f"The prices of {symbol} already include this dividend: in returns it counts as money from "
                "outside.",
            ),
        )
    return ()


def same_split(symbol: str | None) -> Warning:
    """Return the warning about a split that was already on the ledger."""
    return Warning("DUPLICATE_SPLIT", f"This split of {symbol} is on the ledger already: nothing was added.")
