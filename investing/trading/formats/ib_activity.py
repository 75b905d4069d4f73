"""Read Interactive Brokers' activity statement (CSV): sections, each with lines of its own headers.

A line begins with its section and Header, Data, SubTotal, Total or Notes. Signs are the statement's own:
proceeds are above zero for a sale, Comm/Fee below zero for a cost, and cash moves by their sum. Times have no
zone: they are New York's; a date alone is that day in the account's time zone. Source: Interactive Brokers,
Reporting Reference Guide, "Activity Statements".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.trading.formats.cancelling import CANCELS_NOTHING, Deal, cancelled
from investing.trading.formats.csv_records import fields_of, records_of
from investing.trading.formats.csv_tables import CsvRecord
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError, decode
from investing.trading.formats.ib_sections import READERS, deal_of, is_cancellation, securities
from investing.trading.formats.statements import of_another, one_account

START: Final = "Statement,Header,"

_SUM: Final = "not read: it sums up rows that are here as well"
_NOT_READ: Final = "not read: it shows balances or totals, not transactions"
_DETAILED: Final = frozenset({"trade", "execution"})


class _Line(CsvRecord):
    """A line of data with its section."""

    @property
    def section(self) -> str:
        """Return the first field."""
        return self.values[""]

    @property
    def kind(self) -> str:
        """Return what a trade says it is: an order, one of its executions, a lot that it closed."""
        return self.text("datadiscriminator").casefold()


def read_ib_activity(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of the statement.

    Raise TransactionFileError if the file is none, or has no transactions.
    """
    found = list(_lines(decode(data)))
    lines = [line for line in found if isinstance(line, _Line)]
    rows = [line for line in lines if line.section in READERS]
    if not rows:
        raise TransactionFileError(f"The statement has none of {', '.join(READERS)}.")
    accounts = Counter(filter(None, map(_account, rows)))
    wanted = one_account(accounts or {name: len(rows) for name in _its_account(lines)}, options.account)
    names = securities(line for line in lines if line.section == "Financial Instrument Information")
    its_own = [line for line in rows if _account(line) in ("", wanted)]
    known = _without_effect([line for line in its_own if line.section == "Trades"])
    for line in found:
        if not isinstance(line, _Line):
            yield line
        elif line.section not in READERS:
            yield IgnoredRow(line.line, _NOT_READ, group=line.section)
        elif _account(line) not in ("", wanted):
            yield of_another(line.line, line.section, _account(line))
        else:
            yield known.get(line.line) or _row(line, names)


def _account(line: _Line) -> str:
    """Return whose a line is in a statement of several accounts; empty in one of a single account."""
    return line.text("account")


def _its_account(lines: Sequence[_Line]) -> list[str]:
    """Return the account that the statement names as its own, in a list that is empty if it names none."""
    information = (line for line in lines if line.section == "Account Information")
    return [i.text("field value") for i in information if i.text("field name") == "Account"][:1]


def _lines(text: str) -> Iterator[_Line | IgnoredRow | BadRow]:
    headers: dict[str, Sequence[str]] = {}
    for number, record in records_of(text):
        if not record.strip(' \t,"'):
            continue
        try:
            section, kind, *fields = fields_of(record)
        except InvalidInput as domain_error:
            yield BadRow(number, domain_error)
            continue
        except ValueError:
            yield IgnoredRow(number, _NOT_READ, group="line of text")
            continue
        if kind == "Header":
            headers[section] = [field.strip().casefold() for field in fields]
        elif kind == "Data" and section in headers:
            line = _Line(number, dict(zip(headers[section], fields, strict=False)) | {"": section})
            is_sum = any(field.startswith("Total") for field in fields[:2])
            yield IgnoredRow(number, _SUM, group=f"sum of {section}") if is_sum else line
        else:
            yield IgnoredRow(number, _SUM, group=f"{kind or 'line'} of {section}")


def _without_effect(trades: Sequence[_Line]) -> dict[int, Parsed]:
    """Return the results of the trades that move nothing themselves, by their lines."""
    found: dict[int, Parsed] = {}
    detailed = any(trade.kind in _DETAILED for trade in trades)
    for trade in trades:
        if trade.kind == "closedlot" or (trade.kind == "order" and detailed):
            found[trade.line] = IgnoredRow(trade.line, _SUM, group=f"{trade.text('datadiscriminator')}")
    left = [trade for trade in trades if trade.line not in found]
    cancelling = [trade for trade in left if is_cancellation(trade)]
    deals = _deals([trade for trade in left if not is_cancellation(trade)], 1)
    pairs = cancelled(deals, _deals(cancelling, -1))
    for trade in cancelling:
        original = pairs.get(trade.line)
        if original is None:
            found[trade.line] = BadRow(trade.line, InvalidInput(CANCELS_NOTHING), "Trades")
            continue
        reason = f"It cancels line {original}, which is left out as well."
        found[trade.line] = IgnoredRow(trade.line, reason, "Trades")
        found[original] = IgnoredRow(original, f"It is cancelled by line {trade.line}.", "Trades")
    return found


def _deals(trades: Sequence[_Line], sign: int) -> list[Deal]:
    return [deal for trade in trades if (deal := deal_of(trade, sign)) is not None]


def _row(line: _Line, names: Mapping[str, str]) -> Parsed:
    read: Callable[[CsvRecord, Mapping[str, str]], Parsed] = READERS[line.section]
    try:
        return read(line, names)
    except InvalidInput as domain_error:
        return BadRow(line.line, domain_error, line.section)
    except ArithmeticError:
        return BadRow(line.line, InvalidInput("It has a number that is too large."), line.section)
