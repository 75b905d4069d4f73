"""Allocation: what a whole consists of, as values and as weights, and how far it is from its targets.

A weight is a slice's value over the total value, cash included, at ten places. The rounding difference to 1
goes to cash if it is a slice of its own, and to the largest slice otherwise, so that weights add up to
exactly 1. Drift is weight minus target weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from db.vocabulary import AllocationDimension as By
from db.vocabulary import AllocationFigure as Figure
from db.vocabulary import TargetSource
from db.vocabulary import UnavailableReason as Reason
from investing.rules.money import quotient
from investing.rules.performance.figures import MESSAGES
from investing.rules.rebalancing.planning import fitted

ZERO, ONE = Decimal(0), Decimal(1)
CASH = "CASH"


@dataclass(frozen=True, slots=True)
class AllocationPart:
    """One position, or the cash of one portfolio or account if `symbol` is None.

    Without a price its value is None.
    """

    account_id: UUID
    account: str
    currency: str
    value: Decimal | None
    portfolio_id: UUID | None = None
    portfolio: str | None = None
    position_id: UUID | None = None
    symbol: str | None = None
    asset_class: str | None = None


@dataclass(frozen=True, slots=True)
class InstrumentTarget:
    """The target weight of one instrument; `asset_class` is None if there is no such instrument."""

    symbol: str
    weight: Decimal
    asset_class: str | None = None


@dataclass(frozen=True, slots=True)
class TargetWeights:
    """Target weights that add up to at most 1; the rest is cash."""

    source: TargetSource
    wanted: Sequence[InstrumentTarget]


def target_weights(
    source: TargetSource, wanted: Sequence[InstrumentTarget], cash_reserve: Decimal
) -> TargetWeights:
    """Return the targets as a plan uses them: scaled down if they leave less cash than the reserve."""
    weights = fitted({one.symbol: one.weight for one in wanted}, ONE - cash_reserve)
    return TargetWeights(source, [replace(one, weight=weights[one.symbol]) for one in wanted])


@dataclass(frozen=True, slots=True)
class AllocationSlice:
    """A slice of the whole, in one currency. `cash_value` is the cash within its value.

    `value` is None if nothing in the slice has a price; positions without one are counted in
    `unpriced_positions`. Of `account_id`, `portfolio_id`, `symbol` and `asset_class`, only the one that the
    allocation is grouped by is set.
    """

    label: str
    currency: str
    value: Decimal | None
    cash_value: Decimal = ZERO
    unpriced_positions: int = 0
    is_cash: bool = False
    account_id: UUID | None = None
    portfolio_id: UUID | None = None
    symbol: str | None = None
    asset_class: str | None = None
    weight: Decimal | None = None
    target_weight: Decimal | None = None

    @property
    def drift(self) -> Decimal | None:
        """How far the weight is above its target, negative below it; None if either is unknown."""
        if self.weight is None or self.target_weight is None:
            return None
        return self.weight - self.target_weight


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure of the slices that is not available, and why; for a value, of which position."""

    figure: Figure
    reason: Reason
    position_id: UUID | None = None

    @property
    def message(self) -> str:
        """The reason, in words."""
        return MESSAGES[self.reason]


@dataclass(frozen=True, slots=True)
class Allocation:
    """The slices, largest first and cash last; over several currencies there is no total."""

    by: By
    currency: str | None
    total_value: Decimal | None
    slices: Sequence[AllocationSlice]
    target_source: TargetSource | None = None
    missing: Sequence[Missing] = field(default=())


def allocate(parts: Sequence[AllocationPart], by: By, targets: TargetWeights | None = None) -> Allocation:
    """Divide the parts into slices by a dimension.

    Targets apply only to slices by symbol and by asset class.
    """
    slices = _slices(parts, by)
    missing = [Missing(Figure.VALUE, Reason.NO_PRICES, one.position_id) for one in parts if one.value is None]
    usable = targets if by in (By.SYMBOL, By.ASSET_CLASS) else None
    currencies = {part.currency for part in parts}
    if len(currencies) > 1:
        both = (Figure.WEIGHT, Figure.TARGET_WEIGHT)
        missing += [Missing(figure, Reason.SEVERAL_CURRENCIES) for figure in both]
        return Allocation(by, None, None, _in_order(slices), missing=missing)
    currency = next(iter(currencies), None)
    if usable is None or currency is None:
        missing.append(Missing(Figure.TARGET_WEIGHT, Reason.NO_TARGETS))
    else:
        slices = _with_targets(slices, by, usable, currency)
    total = sum((one.value for one in slices if one.value is not None), ZERO)
    if total > 0:
        slices = _with_weights(slices, total)
    else:
        missing.append(Missing(Figure.WEIGHT, Reason.NO_VALUE))
    source = usable.source if usable is not None else None
    return Allocation(by, currency, total, _in_order(slices), source, missing)


def _slices(parts: Sequence[AllocationPart], by: By) -> list[AllocationSlice]:
    groups: dict[tuple[object, str], list[AllocationPart]] = {}
    for part in parts:
        groups.setdefault((_key(part, by), part.currency), []).append(part)
    return [_slice(group, by) for group in groups.values()]


def _key(part: AllocationPart, by: By) -> object:
    """Return what distinguishes slices; None for cash that is a slice of its own."""
    keys: Mapping[By, object] = {
        By.ASSET_CLASS: part.asset_class,
        By.SYMBOL: part.symbol,
        By.CURRENCY: part.currency,
        By.ACCOUNT: part.account_id,
        By.PORTFOLIO: part.portfolio_id,
    }
    return keys[by]


def _slice(group: Sequence[AllocationPart], by: By) -> AllocationSlice:
    first = group[0]
    values = [part.value for part in group if part.value is not None]
    cash = sum((part.value or ZERO for part in group if part.symbol is None), ZERO)
    labels = {
        By.ASSET_CLASS: first.asset_class,
        By.SYMBOL: first.symbol,
        By.CURRENCY: first.currency,
        By.ACCOUNT: first.account,
        By.PORTFOLIO: first.portfolio,
    }
    is_cash = _key(first, by) is None
    return AllocationSlice(
        label=labels[by] or CASH,
        currency=first.currency,
        value=sum(values, ZERO) if values else None,
        cash_value=cash,
        unpriced_positions=len(group) - len(values),
        is_cash=is_cash,
        account_id=first.account_id if by is By.ACCOUNT else None,
        portfolio_id=first.portfolio_id if by is By.PORTFOLIO else None,
        symbol=first.symbol if by is By.SYMBOL else None,
        asset_class=first.asset_class if by is By.ASSET_CLASS else None,
    )


def _with_targets(
    slices: Sequence[AllocationSlice], by: By, targets: TargetWeights, currency: str
) -> list[AllocationSlice]:
    """Return the slices with their target weights, and empty slices for targets that are not held."""
    targeted: dict[str, AllocationSlice] = {}
    for one in targets.wanted:
        label = one.symbol if by is By.SYMBOL else one.asset_class
        # A symbol without an instrument has no asset class.
        if label is None or not one.weight:
            continue
        empty = AllocationSlice(
            label,
            currency,
            ZERO,
            symbol=one.symbol if by is By.SYMBOL else None,
            asset_class=one.asset_class if by is By.ASSET_CLASS else None,
        )
        before = targeted.get(label, empty)
        targeted[label] = replace(before, target_weight=(before.target_weight or ZERO) + one.weight)
    cash = ONE - sum((one.target_weight or ZERO for one in targeted.values()), ZERO)
    found = []
    for slice in slices:
        target = cash if slice.is_cash else ZERO
        if not slice.is_cash and slice.label in targeted:
            target = targeted.pop(slice.label).target_weight or ZERO
        found.append(replace(slice, target_weight=target))
    return [*found, *targeted.values()]


def _with_weights(slices: Sequence[AllocationSlice], total: Decimal) -> list[AllocationSlice]:
    weighed = [
        slice if slice.value is None else replace(slice, weight=quotient(slice.value, total))
        for slice in slices
    ]
    left = ONE - sum((slice.weight or ZERO for slice in weighed), ZERO)
    priced = [place for place, slice in enumerate(weighed) if slice.weight is not None]
    adjusted = max(priced, key=lambda place: (weighed[place].is_cash, weighed[place].value))
    weighed[adjusted] = replace(weighed[adjusted], weight=(weighed[adjusted].weight or ZERO) + left)
    return weighed


def _in_order(slices: Sequence[AllocationSlice]) -> list[AllocationSlice]:
    def place(slice: AllocationSlice) -> tuple[bool, bool, Decimal, str, str]:
        return slice.is_cash, slice.value is None, -(slice.value or ZERO), slice.label, slice.currency

    return sorted(slices, key=place)
