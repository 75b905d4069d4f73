"""Read a list of actions: its accounts, its cancellations, and each of its lines."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.trading.formats.actions import CANCELLING, Action, read_action
from investing.trading.formats.cancelling import CANCELS_NOTHING, Deal, cancelled
from investing.trading.formats.csv_tables import CsvRecord
from investing.trading.formats.files import Options
from investing.trading.formats.statements import Where, of_another, one_account


@dataclass(frozen=True)
class Listed:
    """What a line says: what happened, its place, and the costs beside quantity x price."""

    action: Action
    where: Where
    symbol: str | None
    costs: Decimal


Read = Callable[[CsvRecord], Listed]


def read_listed(
    records: Iterable[CsvRecord | IgnoredRow | BadRow], options: Options, read: Read, *accounts: str
) -> Iterator[Parsed]:
    """Yield a row for each record; `read` interprets it, and `accounts` are the columns that name an account.

    If there are several accounts, the one that is wanted is read. A trade and its cancellation have no effect
    together. Raise TransactionFileError if there are several accounts and none is wanted.
    """
    found = list(records)
    owners = {r.line: r.text(*accounts) for r in found if isinstance(r, CsvRecord)}
    wanted = one_account(Counter(filter(None, owners.values())), options.account)
    its_own = [r for r in found if isinstance(r, CsvRecord) and owners[r.line] in ("", wanted)]
    understood = {record.line: _understood(record, read) for record in its_own}
    known = _taken_back(its_own, understood)
    for record in found:
        if not isinstance(record, CsvRecord):
            yield record
        elif record.line not in understood:
            yield of_another(record.line, record.text("action"), owners[record.line])
        else:
            yield known.get(record.line) or _row(record, understood[record.line])


def _understood(record: CsvRecord, read: Read) -> Listed | BadRow:
    try:
        return read(record)
    except InvalidInput as domain_error:
        return BadRow(record.line, domain_error, record.text("action"))


def _row(record: CsvRecord, listed: Listed | BadRow) -> Parsed:
    if isinstance(listed, BadRow):
        return listed
    try:
        return read_action(listed.action, listed.where, record, listed.symbol, listed.costs)
    except InvalidInput as domain_error:
        return BadRow(record.line, domain_error, listed.where.source)
    except ArithmeticError:
        return BadRow(record.line, InvalidInput("It has a number that is too large."), listed.where.source)


def _taken_back(records: Sequence[CsvRecord], listed: Mapping[int, Listed | BadRow]) -> dict[int, Parsed]:
    trades: list[Deal] = []
    cancellations: list[Deal] = []
    for record in records:
        one = listed[record.line]
        if isinstance(one, BadRow):
            continue
        action = CANCELLING.get(one.action, one.action)
        if action in (Action.BUY, Action.SELL) and (deal := _deal(record, one, action)) is not None:
            (cancellations if one.action in CANCELLING else trades).append(deal)
    pairs = cancelled(trades, cancellations)
    found: dict[int, Parsed] = {}
    for deal in cancellations:
        trade = pairs.get(deal.number)
        if trade is None:
            found[deal.number] = BadRow(deal.number, InvalidInput(CANCELS_NOTHING))
            continue
        found[deal.number] = IgnoredRow(deal.number, f"It cancels line {trade}, which is left out as well.")
        found[trade] = IgnoredRow(trade, f"It is cancelled by line {deal.number}.")
    return found


def _deal(record: CsvRecord, listed: Listed, action: Action) -> Deal | None:
    try:
        quantity, price = record.number("quantity"), record.number("price")
    except InvalidInput:
        return None
    signed = abs(quantity or Decimal(0)) * (1 if action is Action.BUY else -1)
    return Deal(record.line, listed.symbol, signed, price)
