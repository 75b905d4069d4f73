"""Recognise the rows of an import that are already on the ledger."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from investing.rules.market.market_hours import day_of, start_of_day
from investing.rules.trading.import_rows import Content

_ELSEWHERE = ("UTC", "America/New_York")
"""The zones in which earlier versions started a date without a time, before they used the account's zone."""


class KnownEntries:
    """What a portfolio has on its ledger, by content; each entry is found once.

    What is `undone` has been reversed together with its import: it is counted but never found.
    """

    def __init__(self, recorded: Iterable[Content], time_zone: str, undone: Iterable[Content] = ()) -> None:
        self._left = Counter(recorded)
        self._counts = self._left + Counter(undone)
        self._time_zone = time_zone
        self._by_figures: dict[Content, list[dt.datetime]] = defaultdict(list)
        for *figures, instant in self._left:
            assert isinstance(instant, dt.datetime), "the last of a content is its instant"
            self._by_figures[tuple(figures)].append(instant)

    def count(self, content: Content) -> int:
        """Return how many transactions of exactly this content there are, including undone ones."""
        return self._counts[content]

    def find(self, rows: Sequence[tuple[Content, dt.date | None]]) -> list[bool]:
        """Return for each row whether it is already there. A row has a date if it gives no time.

        A row is there if a transaction of the same figures is at its instant. A row with only a date is also
        there if such a transaction is at the start of that date in UTC or in New York, or at some time of
        that day in the account's time zone. Every row finds what is at its own instant before any row finds
        what is elsewhere.
        """
        known = [self._take(content) for content, _ in rows]
        for number, (content, date) in enumerate(rows):
            if not known[number] and date is not None:
                known[number] = any(
                    self._take((*content[:-1], instant)) for instant in self._elsewhere(content, date)
                )
        return known

    def _take(self, content: Content) -> bool:
        if self._left[content] <= 0:
            return False
        self._left[content] -= 1
        return True

    def _elsewhere(self, content: Content, date: dt.date) -> Iterator[dt.datetime]:
        for time_zone in _ELSEWHERE:
            try:
                yield start_of_day(date, time_zone)
            except OverflowError:
                continue
        for instant in sorted(self._by_figures.get(content[:-1], ())):
            # The start of a day in UTC stands for that day, whichever day it is in the account's time zone.
            if day_of(instant, self._time_zone) == date and instant.timetz() != dt.time(tzinfo=dt.UTC):
                yield instant
