"""Prices from a file: good lines are taken, bad ones are told of, each with its number."""

import datetime as dt
import io
from decimal import Decimal
from pathlib import Path

import pytest

from db.market.ticks import Tick
from db.sessions import Sessions
from db.vocabulary import AlertKind
from investing.alerts.rules import NewAlertRule, create_rule
from investing.prices import tick_files
from investing.prices.price_ingest import price_ingest
from investing.prices.tick_files import (
    BadTickLine,
    TickFileReport,
    ingest_lines,
    parse_tick,
)
from tests.investing.exchange import Exchange

NOW = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
THEN = dt.datetime(2024, 4, 30, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("AAPL,10.5", Tick("AAPL", Decimal("10.5"), NOW)),
        (" AAPL , 10.5 , 2024-04-30T20:00:00Z ", Tick("AAPL", Decimal("10.5"), THEN)),
        ("AAPL,10.5,2024-04-30T22:00:00+02:00", Tick("AAPL", Decimal("10.5"), THEN)),
        ('{"symbol": "AAPL", "price": "10.5"}', Tick("AAPL", Decimal("10.5"), NOW)),
        (
            '{"symbol": "AAPL", "price": "10.5", "time": "2024-04-30T20:00:00Z"}',
            Tick("AAPL", Decimal("10.5"), THEN),
        ),
    ],
)
def test_good_lines(line: str, expected: Tick) -> None:
    assert parse_tick(line, NOW) == expected


@pytest.mark.parametrize(
    "line",
    [
        "AAPL",
        "AAPL,1,2,3",
        ",1",
        "AAPL,",
        "AAPL,one",
        "AAPL,-1",
        "AAPL,NaN",
        "AAPL,0.00000000001",
        "AAPL,1,yesterday",
        "AAPL,1,2024-04-30T20:00:00",
        "AAPL,1,9999-04-30T20:00:00Z",
        "A\x00,1",
        "{",
        "{}",
        '{"symbol": "AAPL", "price": 10.5}',
        '{"symbol": "AAPL", "price": "10.5", "time": 7}',
    ],
)
def test_bad_lines(line: str) -> None:
    with pytest.raises(BadTickLine):
        parse_tick(line, NOW)


async def test_a_file(
    sessions: Sessions, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its prices cross is decided when the command ends, also what came and went within it."""
    monkeypatch.setattr(tick_files, "_CHUNK", 64)
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    rule = NewAlertRule("r", AlertKind.PRICE_ABOVE, threshold=Decimal(10), symbol=symbol, cooldown_seconds=0)
    await create_rule(actor, rule)
    prices = ["9", "11", "8", "12", "7"]
    lines = [
        "symbol,price,time",
        *(f"{symbol},{price},2024-04-30T20:00:{at:02}Z" for at, price in enumerate(prices)),
        "",
        "NONE,1",
        f"{symbol},1,2024-04-30T19:00:00Z",
        "bad \xff",
        f"{symbol},6,2024-04-30T20:01:00Z",
    ]
    path = tmp_path / "ticks.csv"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    told: list[tuple[int, str]] = []
    done: list[int] = []
    with path.open("rb") as file:
        taken = await price_ingest(
            sessions,
            lambda ingest: ingest_lines(ingest, file, lambda n, why: told.append((n, why)), done.append),
        )
    assert taken == TickFileReport(lines=11, news=6, old=1, bad=2)
    assert sorted(told) == [
        (8, "There is no instrument NONE."),
        (10, "A line is symbol,price or symbol,price,time."),
    ]
    assert done[-1] == path.stat().st_size
    async with sessions.reading(actor.id) as connection:
        rows = await connection.fetch("SELECT metrics FROM alerts WHERE owner_id = $1 ORDER BY seq", actor.id)
    assert [row["metrics"]["price"] for row in rows] == ["11", "12"]


async def test_a_line_without_an_end(sessions: Sessions) -> None:
    told: list[tuple[int, str]] = []
    endless = io.BytesIO(b"x" * 100_000)
    taken = await price_ingest(
        sessions,
        lambda ingest: ingest_lines(ingest, endless, lambda n, why: told.append((n, why)), lambda done: None),
    )
    assert (taken.news, taken.bad > 0, len(told[0][1])) == (0, True, 44)
