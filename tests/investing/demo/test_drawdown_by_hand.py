"""The five years' deepest fall, found by another way: raw prices and transactions, in numpy, day by day."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from db.sessions import Sessions
from tests.investing.demo.worked_examples import SINCE, UNTIL, Demo
from tests.investing.portfolio.days import fetch

_NEW_YORK = ZoneInfo("America/New_York")
_FLOWS = ("DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT")
_CLOSES = """
SELECT i.symbol, b.date, b.close FROM price_bars b JOIN instruments i ON i.id = b.instrument_id
WHERE b.instrument_id IN (SELECT instrument_id FROM transactions WHERE portfolio_id = $1)
      AND b.date BETWEEN $2 AND $3
"""
_ENTRIES = """
SELECT t.executed_at, t.type, i.symbol, t.cash_delta, t.quantity_delta
FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id WHERE t.portfolio_id = $1
"""


@pytest.mark.parametrize("name", ["Quiet income", "Sector clusters", "Blue-chip growth"])
async def test_peak_trough_and_recovery(sessions: Sessions, superuser_url: str, name: str) -> None:
    demo = await Demo.find(sessions, superuser_url)
    id = demo.portfolios[name]
    bars = await fetch(superuser_url, _CLOSES, id, SINCE, UNTIL)
    entries = await fetch(superuser_url, _ENTRIES, id)
    dates = sorted({date for _, date, _ in bars})
    symbols = sorted({symbol for symbol, _, _ in bars})
    place = {date: n for n, date in enumerate(dates)}
    closes, cash = np.full((len(dates), len(symbols)), np.nan), np.zeros(len(dates))
    held, flows = np.zeros_like(closes), np.zeros(len(dates))
    for symbol, date, close in bars:
        closes[place[date], symbols.index(symbol)] = close
    assert not np.isnan(closes).any()
    for at, type, symbol, cash_delta, quantity_delta in entries:
        # Everything in the demo happens at a close; what was before is there on the first day.
        day = max(at.astimezone(_NEW_YORK).date(), dates[0])
        cash[place[day] :] += float(cash_delta)
        if symbol in symbols:
            held[place[day] :, symbols.index(symbol)] += float(quantity_delta)
        if type in _FLOWS:
            flows[place[day]] += float(cash_delta)
    values = cash + (held * closes).sum(axis=1)
    # Also what comes and leaves, and so at prices that are the day's end's: nothing moves after a flow.
    growth = (values[1:] - flows[1:]) / values[:-1]
    index = np.concatenate([[1.0], growth.cumprod()])
    falls = 1 - index / np.maximum.accumulate(index)
    trough = int(falls.argmax())
    peak = int(index[: trough + 1].argmax())
    back = np.flatnonzero(index[trough:] >= index[peak])
    recovery: dt.date | None = dates[trough + int(back[0])] if len(back) else None

    performance = await demo.performance(name)
    told = performance.figures.max_drawdown
    assert told is not None
    assert (told.peak, told.trough, told.recovery) == (dates[peak], dates[trough], recovery)
    assert float(told.depth) == pytest.approx(falls[trough], rel=1e-9)
    assert performance.figures.time_weighted_return is not None
    assert float(performance.figures.time_weighted_return) == pytest.approx(index[-1] - 1, rel=1e-9)
