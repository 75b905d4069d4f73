"""Find the elements of a Flex statement without effect: sums of others, and trades taken back."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.trading.formats.cancelling import CANCELS_NOTHING, Deal, cancelled
from investing.trading.formats.flex_elements import FlexElement
from investing.trading.formats.flex_types import BuySell, TradeType

_CANCELLING = (TradeType.TRADECANCEL, TradeType.FRACSHARECANCEL)
_ONLY_SUMS = "It sums up rows that are here as well."


def source_of(element: FlexElement) -> str:
    """Return what the statement calls an element: its tag, and the first of its ids."""
    names = ("tradeID", "transactionID", "actionID", "ibOrderID")
    return f"{element.tag} {next(filter(None, map(element.attributes.get, names)), '')}".rstrip()


def without_effect(elements: Sequence[FlexElement]) -> dict[int, Parsed]:
    """Return the result of each element that moves nothing itself, by its number.

    These are sums of rows that are in the file; a trade with its cancellation; a trade that a correction
    replaces. An element that takes back a trade that is not in the file is refused.
    """
    found: dict[int, Parsed] = {}
    detailed = {element.tag for element in elements if _level(element) in ("DETAIL", "EXECUTION")}
    traded = any(element.tag == "Trade" for element in elements)
    for element in elements:
        if element.tag == "Order" and traded:
            found[element.number] = _ignored(element, "An order sums up its trades, which are here as well.")
        elif _level(element) == "SUMMARY" and element.tag in detailed:
            found[element.number] = _ignored(element, _ONLY_SUMS)
    trades = (e for e in elements if e.tag == "Trade" and e.number not in found and _is_readable(e.values))
    return found | _taken_back({trade.number: trade for trade in trades})


def _is_readable(values: Any) -> bool:
    numbers = () if values is None else (values.quantity, values.tradePrice)
    return values is not None and all(number is None or number.is_finite() for number in numbers)


def _level(element: FlexElement) -> str | None:
    return getattr(element.values, "levelOfDetail", None)


def _ignored(element: FlexElement, reason: str) -> IgnoredRow:
    return IgnoredRow(element.line, reason, source_of(element))


def _taken_back(trades: Mapping[int, FlexElement]) -> dict[int, Parsed]:
    found: dict[int, Parsed] = {}
    cancelling = {number for number, trade in trades.items() if _cancels(trade.values)}
    deals = [_deal(trade, 1) for number, trade in trades.items() if number not in cancelling]
    pairs = cancelled(deals, [_deal(trades[number], -1) for number in sorted(cancelling)])
    for number in cancelling:
        if number not in pairs:
            found[number] = BadRow(
                trades[number].line, InvalidInput(CANCELS_NOTHING), source_of(trades[number])
            )
    for number, original in pairs.items():
        cancels, trade = trades[number], trades[original]
        found[number] = _ignored(cancels, f"It cancels {source_of(trade)}, which is left out as well.")
        found[original] = _ignored(trade, f"It is cancelled by {source_of(cancels)}.")
    return found | _corrected(trades, deals, set(pairs.values()))


def _corrected(trades: Mapping[int, FlexElement], deals: Sequence[Deal], gone: set[int]) -> dict[int, Parsed]:
    """Return trades that a correction replaces without a cancellation, and corrections of missing trades."""
    found: dict[int, Parsed] = {}
    by_id = {deal.id: deal.number for deal in deals if deal.id}
    for deal in deals:
        correction = trades[deal.number]
        if correction.values.transactionType is not TradeType.TRADECORRECT or not deal.original:
            continue
        original = by_id.get(deal.original)
        if original is None:
            reason = f"It corrects trade {deal.original}, which is not in this file: import that one with it."
            found[deal.number] = BadRow(correction.line, InvalidInput(reason), source_of(correction))
        elif original not in gone and original != deal.number:
            trade = trades[original]
            found[original] = _ignored(trade, f"It is corrected by {source_of(correction)}.")
    return found


def _cancels(values: Any) -> bool:
    return values.buySell in (BuySell.CANCELBUY, BuySell.CANCELSELL) or values.transactionType in _CANCELLING


def _deal(trade: FlexElement, sign: int) -> Deal:
    values = trade.values
    quantity = (values.quantity or Decimal(0)) * sign
    original = values.origTradeID if values.origTradeID not in (None, "", "0") else ""
    return Deal(
        trade.number, values.symbol, quantity, values.tradePrice, values.tradeID or "", original or ""
    )
