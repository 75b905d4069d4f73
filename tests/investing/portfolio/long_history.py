"""Ten years of one portfolio: 20 symbols with a price each weekday, and 10,000 transactions."""

import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal

import asyncpg

from db.market.bars import DailyBar, bar_load
from db.sessions import Sessions
from investing.trading.formats.csv_rows import COLUMNS, read_csv
from investing.trading.importing import import_rows
from tests.investing.trading.world import World, make_world

FIRST = dt.date(2014, 1, 1)
DAYS = 3652
SYMBOLS = tuple(f"LONG{n:02}" for n in range(20))


async def make_history(
    sessions: Sessions, superuser_url: str, owner_url: str, transactions: int, *, seed: int = 1
) -> World:
    """A user whose one portfolio has so many transactions, marked as stale from the first one on."""
    chance = random.Random(seed)
    world = await make_world(sessions, superuser_url)
    world.symbol = SYMBOLS[0]
    connection = await asyncpg.connect(superuser_url)
    await connection.executemany(
        "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
        "VALUES (gen_random_uuid(), $1, $1, 'EQUITY', 'USD') ON CONFLICT DO NOTHING",
        [(symbol,) for symbol in SYMBOLS],
    )
    await connection.close()
    weekdays = [d for n in range(DAYS) if (d := FIRST + dt.timedelta(days=n)).weekday() < 5]
    async with bar_load(owner_url) as load:
        await load.stage(_bars(weekdays, chance))
        await load.store()
        await load.analyze()
    rows = list(read_csv(_csv(weekdays, transactions, chance).encode()))
    report = await import_rows(world.actor, world.portfolios[0], rows)
    assert not report.is_bad, report.summary()
    connection = await asyncpg.connect(owner_url)
    await connection.execute("ANALYZE transactions, positions, performance_history")
    await connection.close()
    return world


def _bars(weekdays: Sequence[dt.date], chance: random.Random) -> list[DailyBar]:
    bars = []
    for symbol in SYMBOLS:
        cents = 10000
        for date in weekdays:
            cents = max(100, cents + chance.randrange(-150, 155))
            bars.append(DailyBar(symbol, date, None, None, None, Decimal(cents) / 100, None, None))
    return bars


def _csv(weekdays: Sequence[dt.date], transactions: int, chance: random.Random) -> str:
    """A deposit in 50, purchases, and a sale of a part of what is held in ten."""
    held = dict.fromkeys(SYMBOLS, 0)
    lines = [",".join(COLUMNS)]
    every = sorted(chance.choices(weekdays, k=transactions))
    for n, date in enumerate(every):
        at = f"{date}T{15 + n % 5}:{n % 60:02}:{n // 60 % 60:02}Z"
        symbol = chance.choice(SYMBOLS)
        if n % 50 == 0:
            lines.append(f"DEPOSIT,,,,20000,,,{at},")
        elif n % 10 == 5 and held[symbol] > 1:
            lines.append(f"SELL,{symbol},{held[symbol] // 2},{chance.randrange(80, 120)},,1,,{at},")
            held[symbol] -= held[symbol] // 2
        else:
            lines.append(f"BUY,{symbol},1,{chance.randrange(80, 120)},,1,,{at},")
            held[symbol] += 1
    return "\n".join(lines) + "\n"
