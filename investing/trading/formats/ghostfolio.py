"""Read Ghostfolio's export (JSON): its list of activities.

An activity is worth quantity x unitPrice, and fee comes on top; both are in `currency`. A FEE is its fee
alone. A quantity without a price is a gift, which is a BUY at cost 0. Source:
https://github.com/ghostfolio/ghostfolio, README, "Import Activities".
"""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.money import LIMIT, product
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError, decode, shown
from investing.trading.formats.statements import Where, of_another, one_account, unsupported

_UNSUPPORTED = {
    "ITEM": "An ITEM is not imported: make an instrument of your own (createInstrument) and record its "
    "purchase.",
    "LIABILITY": "The ledger cannot hold a liability.",
}
_ONE = Decimal(1)


def read_ghostfolio(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the activities in the order of the file.

    Raise TransactionFileError if it is no such export.
    """
    text = decode(data)
    try:
        export = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TransactionFileError(f"The file is not JSON: {error}.") from None
    activities = export.get("activities") if isinstance(export, dict) else None
    if not isinstance(activities, list):
        raise TransactionFileError("The file is no export of Ghostfolio: it has no list of activities.")
    if not activities:
        raise TransactionFileError("The export has no activities.")
    names = _names(export)
    owners = [_owner(activity, names) for activity in activities]
    account = None if options.account is None else names.get(options.account, options.account)
    wanted = one_account(Counter(owner for owner in owners if owner), account)
    lines = _lines(text, len(activities))
    for number, (line, owner, activity) in enumerate(zip(lines, owners, activities, strict=True), 1):
        source = f"activity {number}"
        if owner not in ("", wanted):
            yield of_another(line, source, owner)
            continue
        try:
            yield read_activity(line, source, activity)
        except InvalidInput as domain_error:
            yield BadRow(line, domain_error, source)
    yield from _others(export)


def _names(export: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the export's accounts, by id; an account whose name is not unique keeps its id."""
    accounts = export.get("accounts")
    found = [one for one in accounts if isinstance(one, dict)] if isinstance(accounts, list) else []
    named = {str(one["id"]): str(one.get("name") or one["id"]) for one in found if one.get("id")}
    counts = Counter(named.values())
    return {id: name if counts[name] == 1 else id for id, name in named.items()}


def _owner(activity: Any, names: Mapping[str, str]) -> str:
    id = str(activity.get("accountId") or "") if isinstance(activity, dict) else ""
    return names.get(id, id)


def _others(export: Mapping[str, Any]) -> Iterator[IgnoredRow]:
    """Yield an ignored row for each entry in the other lists of the export."""
    for name, elements in export.items():
        if name != "activities" and isinstance(elements, list):
            for number in range(1, len(elements) + 1):
                yield IgnoredRow(1, "not an activity", f"{name} {number}", name)


def _refuse_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is no number")


def _lines(text: str, count: int) -> list[int]:
    """Return the line on which each activity starts, or its number if the text has another layout."""
    start = text.find('"activities"')
    decoder, found = json.JSONDecoder(), []
    position = text.find("[", start) + 1
    line = text.count("\n", 0, position) + 1
    for _ in range(count):
        opening = text.find("{", position)
        if opening < 0:
            break
        line += text.count("\n", position, opening)
        found.append(line)
        try:
            _, end = decoder.raw_decode(text, opening)
        except ValueError:
            break
        line += text.count("\n", opening, end)
        position = end
    return found if len(found) == count else list(range(1, count + 1))


def read_activity(line: int, source: str, activity: Any) -> Parsed:
    """Return the row of one activity. Raise InvalidInput if it is none."""
    if not isinstance(activity, dict):
        raise InvalidInput("This is no activity.")
    type = str(activity.get("type")).upper()
    if type in _UNSUPPORTED:
        return unsupported(line, source, _UNSUPPORTED[type])
    comment = activity.get("comment")
    where = Where(
        line,
        source,
        _date(activity.get("date")),
        _text(activity, "currency"),
        comment if isinstance(comment, str) else None,
    )
    quantity, price, fee = (_number(activity, name) for name in ("quantity", "unitPrice", "fee"))
    # Prices come from sources that compute in binary: they are rounded as the ledger rounds.
    value = product(quantity, price)
    moves_shares = type in ("BUY", "SELL") and bool(quantity)
    if not value and not fee and not moves_shares:
        return IgnoredRow(line, f"The {type} moves nothing.", source)
    match type:
        case "BUY" | "SELL":
            net = -value - fee if type == "BUY" else value - fee
            price = product(price, _ONE)
            return where.trade(_text(activity, "symbol"), quantity, price, net, fee, buys=type == "BUY")
        case "DIVIDEND":
            symbol = _text(activity, "symbol")
            return where.row(TransactionType.DIVIDEND, symbol=symbol, amount=value, commission=fee)
        case "INTEREST":
            return where.row(TransactionType.INTEREST, amount=value, commission=fee)
        case "FEE":
            return where.row(TransactionType.FEE, amount=value + fee)
    raise InvalidInput(f"{shown(type)} is no type of activity.", ("type",))


def _text(activity: Mapping[str, Any], name: str) -> str:
    value = activity.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"The activity has no {name}.", (name,))
    return value


def _number(activity: Mapping[str, Any], name: str) -> Decimal:
    value = activity.get(name)
    if value is None:
        return ZERO
    if not isinstance(value, Decimal) or not 0 <= value < LIMIT:
        raise InvalidInput(f"The {name} must be a number of at least 0.", (name,))
    return value


def _date(value: Any) -> dt.date:
    """Return an instant, or a date, which Ghostfolio writes as midnight, in UTC or without an offset.

    JavaScript writes three digits of the second.
    """
    try:
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            instant = dt.datetime.fromisoformat(value)
            is_date = instant.utcoffset() in (None, dt.timedelta()) and instant.time() == dt.time()
            return instant.date() if is_date else _in_utc(instant)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput("The date is not in ISO 8601.", ("date",))


def _in_utc(instant: dt.datetime) -> dt.datetime:
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
