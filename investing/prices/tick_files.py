"""Prices from a file or from another program: one per line, `symbol,price[,time]` or JSON."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import orjson

from db.market.ticks import Tick
from investing.market.ticks import check_tick
from investing.prices.ingest import PriceIngest
from investing.rules.errors import InvalidInput, shortened

_CHUNK = 1 << 15
_LONGEST_LINE = 1_000


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read1(self, size: int, /) -> bytes:
        """Return what is available, at most `size` bytes; nothing at the end."""
        ...


@dataclass
class TickFileReport:
    """The counts of an ingested file: lines, prices that were news, prices that were not, and bad lines."""

    lines: int = 0
    news: int = 0
    old: int = 0
    bad: int = 0


class BadTickLine(ValueError):
    """The reason why a line is not a price."""


def parse_tick(line: str, now: dt.datetime) -> Tick:
    """Return the price of a line; without a time it is the price of now. Raise BadTickLine."""
    if line.startswith("{"):
        symbol, price, time = _json_fields(line)
    else:
        parts = [part.strip() for part in line.split(",")]
        if len(parts) not in (2, 3):
            raise BadTickLine("A line is symbol,price or symbol,price,time.")
        symbol, price, time = parts[0], parts[1], parts[2] if len(parts) == 3 else ""
    if not symbol or "\x00" in symbol:
        raise BadTickLine("There is no symbol.")
    try:
        tick = Tick(symbol, Decimal(price), _instant(time) if time else now)
        check_tick(tick)
    except InvalidOperation:
        raise BadTickLine(f"{shortened(price)!r} is not a price.") from None
    except InvalidInput as domain_error:
        raise BadTickLine(domain_error.message) from None
    return tick


async def ingest_lines(
    ingest: PriceIngest,
    file: Readable,
    report_bad: Callable[[int, str], None],
    progress: Callable[[int], None],
) -> TickFileReport:
    """Ingest the prices of a file as they arrive; report and skip bad lines.

    `progress` is called with the number of bytes read so far.
    """
    report = TickFileReport()
    async for batch in _parts(file, progress):
        ticks: list[Tick] = []
        numbers: dict[str, int] = {}
        for line in batch:
            report.lines += 1
            if not line.strip() or _is_header(report.lines, line):
                continue
            try:
                tick = parse_tick(line.strip(), dt.datetime.now(dt.UTC))
            except BadTickLine as error:
                report.bad += 1
                report_bad(report.lines, str(error))
                continue
            ticks.append(tick)
            numbers.setdefault(tick.symbol, report.lines)
        applied = await ingest.apply(ticks)
        for symbol in sorted(applied.unknown, key=lambda symbol: numbers[symbol]):
            report_bad(numbers[symbol], f"There is no instrument {shortened(symbol)}.")
        unknown = sum(tick.symbol in applied.unknown for tick in ticks)
        report.bad += unknown
        report.news += len(applied.news)
        report.old += len(ticks) - unknown - len(applied.news)
    return report


def _json_fields(line: str) -> tuple[str, str, str]:
    try:
        given: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadTickLine("This is not JSON.") from None
    fields = [given.get(name) for name in ("symbol", "price", "time")]
    if not isinstance(fields[0], str) or not isinstance(fields[1], str):
        # A JSON number has already been converted to a float by the parser.
        raise BadTickLine('A line of JSON has a "symbol" and a "price", both strings.')
    if fields[2] is not None and not isinstance(fields[2], str):
        raise BadTickLine('The "time" is a string, with an offset.')
    return fields[0], fields[1], fields[2] or ""


def _instant(text: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadTickLine(f"{shortened(text)!r} is not a time such as 2024-05-31T20:00:00Z.") from None
    if instant.tzinfo is None:
        raise BadTickLine(f"{shortened(text)!r} has no offset, such as Z or +02:00.")
    return instant


def _is_header(number: int, line: str) -> bool:
    return number == 1 and line.strip().lower().startswith("symbol,price")


async def _parts(file: Readable, progress: Callable[[int], None]) -> AsyncIterator[list[str]]:
    """Yield lines as they arrive; of a pipe what is available, without waiting for more."""
    rest, done = b"", 0
    while chunk := await asyncio.to_thread(file.read1, _CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest[:_LONGEST_LINE]], b""
        if lines:
            yield [line.decode(errors="replace") for line in lines]
        done += len(chunk)
        progress(done)
    if rest:
        yield [rest.decode(errors="replace")]
