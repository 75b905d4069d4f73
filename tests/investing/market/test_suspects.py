"""Jumps that look like splits: told by day and ratio, and none on real prices whose splits are known."""

from decimal import Decimal as D

import pytest

from investing.rules.market.corporate_actions import contradicts, suspected


@pytest.mark.parametrize(
    ("before", "close", "factor", "ratio"),
    [
        # 33.36 to 8.34 is 4 exactly; 30 to 7.9 is 3.797, five per cent from it and a little.
        ("33.36", "8.34", None, (4, 1)),
        ("30", "7.9", None, None),
        ("10", "29", None, (1, 3)),
        ("60", "41", None, (3, 2)),
        ("100", "60", None, None),
        # Apple on 29 September 2000: the adjusted close fell by as much.
        ("53.5", "25.75", "1", None),
        ("53.5", "25.75", "2", (2, 1)),
        ("53.5", "25.75", None, (2, 1)),
    ],
)
def test_what_looks_like_a_split(
    before: str, close: str, factor: str | None, ratio: tuple[int, int] | None
) -> None:
    expected = None if ratio is None else (D(ratio[0]), D(ratio[1]))
    assert suspected(D(before), D(close), None if factor is None else D(factor)) == expected


def test_a_series_that_is_not_what_it_says() -> None:
    assert contradicts(D(30), D(29), D(4), is_raw=True)
    assert not contradicts(D(30), D("7.6"), D(4), is_raw=True)
    assert contradicts(D(30), D("7.6"), D(4), is_raw=False)
    assert not contradicts(D(30), D(29), D(4), is_raw=False)
    # A split of 11 for 10 is nothing against what a market does in a day.
    assert not contradicts(D(30), D(30), D("1.1"), is_raw=True)
