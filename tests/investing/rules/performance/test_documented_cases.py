"""The small histories of docs/analytics.md are worked out by the rules: the document cannot say otherwise."""

import re
from collections.abc import Iterator
from pathlib import Path

from db.canonical import decimal
from investing.rules.performance.figures import Figures
from tests.investing.rules.performance.test_sub_periods import (
    buy,
    deposit,
    dividend,
    figures,
    gain,
    sell,
    withdrawal,
)

DOCUMENT = Path(__file__).parents[4] / "docs" / "analytics.md"


def cases() -> Iterator[tuple[str, Figures]]:
    """Each history in words, and its figures."""
    passing = (
        deposit("01-02 15:00", 100),
        deposit("01-04 15:00", 10000),
        buy("01-04 16:00", 100, 100),
    )
    yield (
        "100 in cash; on a later day D 10000, BUY 100 @ 100, SELL 100 @ 105, W 10500",
        figures(*passing, sell("01-04 17:00", 100, 105), withdrawal("01-04 18:00", 10500)),
    )
    yield (
        "the same, sold at 98, W 9850",
        figures(*passing, sell("01-04 17:00", 100, 98), withdrawal("01-04 18:00", 9850)),
    )
    yield (
        "D 1000, BUY 10 @ 100, closes 90 (that day), 90, 99, 99, 110",
        figures(
            deposit("01-02 15:00", 1000), buy("01-02 15:01", 10, 100), d0102=90, d0103=90, d0104=99, d0105=99,
            d0108=110,
        ),
    )  # fmt: skip
    yield (
        "D 1000, BUY 10 @ 95, commission 50, close 90; a year and a day later close 99",
        figures(
            deposit("2023-01-03 15:00", 1000), buy("2023-01-03 15:01", 10, 95, 50), d20230103=90, d0104=99
        ),
    )
    yield (
        "a fund with closes 100, 110, 99 at ends of months; D 1000, BUY 10 @ 100; D 1100, BUY 10 @ 110",
        figures(
            deposit("01-31 12:00", 1000), buy("01-31 12:30", 10, 100), deposit("02-29 12:00", 1100),
            buy("02-29 12:30", 10, 110), d0131=100, d0229=110, d0329=99,
        ),
    )  # fmt: skip
    yield (
        "D 1000, BUY 10 @ 100, SELL 10 @ 110, W 1100; two days later DIVIDEND 5, W 5",
        figures(
            deposit("01-02 15:00", 1000), buy("01-02 15:01", 10, 100), sell("01-02 16:00", 10, 110),
            withdrawal("01-02 17:00", 1100), dividend("01-04 15:00", 5), withdrawal("01-04 16:00", 5),
        ),
    )  # fmt: skip
    yield (
        "D 2000, 15:00 BUY 10 @ 100 in New York, close 90, 22:00 D 8000",
        figures(
            deposit("01-04 14:00", 2000), buy("01-04 15:00", 10, 100), deposit("01-04 22:00", 8000),
            exchange="NYSE", d0104=90,
        ),
    )  # fmt: skip


def yearly(found: Figures) -> str:
    """Its money-weighted return, where there is a year."""
    return "-" if found.money_weighted_return is None else decimal(found.money_weighted_return)


def test_the_document_says_what_the_rules_do() -> None:
    rows: list[tuple[str, ...]] = [("what happened", "return", "drawdown", "gain", "XIRR", "without capital")]
    for words, found in cases():
        assert found.time_weighted_return is not None
        assert found.max_drawdown is not None
        notes: list[str] = [decimal(note.amount) for note in found.notes]
        fall = decimal(round(found.max_drawdown.depth, 10))
        rows.append(
            (
                words,
                decimal(found.time_weighted_return),
                fall,
                decimal(gain(found)),
                yearly(found),
                *(notes or ["0"]),
            )
        )
    widths = [max(len(row[n]) for row in rows) for n in range(6)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells))
    (block,) = re.findall(r"^```text cases\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert block.splitlines() == lines
