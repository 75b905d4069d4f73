"""Keep quantities that are adjusted for splits apart from quantities as they were traded.

A portfolio has only one kind of an instrument: a split would multiply one and not the other. Whichever comes
second is refused.
"""

from collections.abc import Iterable
from uuid import UUID

from db.trading.split_places import HeldSplit
from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import Entry
from investing.rules.trading.splits import SplitRatio

_FIELD = ("quantity",)


def check_as_traded(
    entry: Entry, instrument_id: UUID | None, adjusted: Iterable[HeldSplit], time_zone: str
) -> None:
    """Raise InvalidInput if an entry as it was traded comes before a split of `adjusted`.

    Those are the splits for which the portfolio's quantities are adjusted: see `find_adjusted`. The same
    applies to a split that is one of them.
    """
    for row in adjusted:
        if row.instrument_id != instrument_id or not entry.of_shares:
            continue
        if entry.type is TransactionType.SPLIT:
            split = SplitRatio(row.ex_date, row.quantity, row.split_for)
            assert entry.quantity is not None, "a split has a quantity"
            assert entry.split_for is not None, "a split has a ratio"
            meets = split.is_same(day_of(entry.executed_at, time_zone), entry.quantity, entry.split_for)
        else:
            meets = entry.executed_at < row.begins
        if meets:
            raise InvalidInput(
                f"The portfolio's quantities before {row.ex_date} are adjusted for the split of that day "
                "already: give these as adjusted as well, by an import, or reverse those first.",
                _FIELD,
            )


def check_adjusted(entry: Entry, instrument_id: UUID | None, as_traded: Iterable[HeldSplit]) -> None:
    """Raise InvalidInput if an adjusted entry comes before a split of `as_traded`.

    Before those splits the portfolio has quantities as they were traded: see `find_as_traded`.
    """
    for row in as_traded:
        is_before = entry.of_shares and entry.executed_at < row.begins
        if row.instrument_id == instrument_id and is_before:
            raise InvalidInput(
                f"The portfolio has quantities before the split of {row.ex_date} as they were traded: "
                "reverse them first, or import this as it was traded.",
                _FIELD,
            )
