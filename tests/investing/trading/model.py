"""A plain ledger in Decimals: it keeps the entries alone, and replays all of them for every question."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext

ZERO = Decimal(0)


class Impossible(Exception):
    """An entry that cannot stand where it is."""


@dataclass
class Given:
    """An entry as it was given; `pair` joins the two sides of a transfer."""

    kind: str
    at: int
    day: int
    quantity: Decimal
    price: Decimal = ZERO
    commission: Decimal = ZERO
    old: Decimal = Decimal(1)
    pair: int | None = None
    reversed: bool = False


@dataclass
class Held:
    """What is left of a lot; `age` is the day it was bought, and the order in which lots came in."""

    age: tuple[int, int, int]
    quantity: Decimal
    cost: Decimal


@dataclass
class State:
    """A portfolio after a replay."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    average: Decimal = ZERO
    fifo: Decimal = ZERO
    lots: list[Held] = field(default_factory=list)


def ratio(whole: Decimal, part: Decimal, of: Decimal, places: str = "1E-10") -> Decimal:
    """whole x part / of to ten places; quantities have eighteen."""
    with localcontext() as context:
        context.prec = 100
        return (whole * part / of).quantize(Decimal(places), ROUND_HALF_UP)


def replay(entries: list[Given], portfolios: int) -> tuple[list[State], dict[int, tuple[Decimal, Decimal]]]:
    """Every portfolio, and by place in `entries` what each sale gained by both methods. Raises Impossible."""
    states = [State() for _ in range(portfolios)]
    gains: dict[int, tuple[Decimal, Decimal]] = {}
    moving: dict[int, tuple[Decimal, list[tuple[int, Decimal, Decimal]]]] = {}
    order = sorted(range(len(entries)), key=lambda place: (entries[place].day, place))
    for place in order:
        entry = entries[place]
        state = states[entry.at]
        if entry.reversed:
            continue
        if entry.kind == "BUY":
            cost = ratio(entry.quantity, entry.price, Decimal(1)) + entry.commission
            _open(state, entry.quantity, cost, [(entry.day, entry.quantity, cost)], place)
        elif entry.kind == "IN":
            assert entry.pair is not None
            cost, parts = moving[entry.pair]
            _open(state, entry.quantity, cost, parts, place)
        elif entry.kind == "SPLIT":
            _split(state, entry)
        else:
            cost, parts = _take(state, entry.quantity)
            if entry.kind == "OUT":
                assert entry.pair is not None
                moving[entry.pair] = (cost, parts)
                continue
            proceeds = ratio(entry.quantity, entry.price, Decimal(1)) - entry.commission
            gains[place] = (proceeds - cost, proceeds - sum((part[2] for part in parts), ZERO))
            state.average += gains[place][0]
            state.fifo += gains[place][1]
    return states, gains


def _open(
    state: State, quantity: Decimal, cost: Decimal, parts: list[tuple[int, Decimal, Decimal]], place: int
) -> None:
    state.quantity += quantity
    state.cost += cost
    for number, (day, part, part_cost) in enumerate(parts):
        state.lots.append(Held((day, place, number), part, part_cost))
    state.lots.sort(key=lambda lot: lot.age)


def _split(state: State, entry: Given) -> None:
    if not state.quantity:
        raise Impossible
    after = [ratio(lot.quantity, entry.quantity, entry.old, "1E-18") for lot in state.lots]
    whole = ratio(state.quantity, entry.quantity, entry.old, "1E-18")
    if not all(after):
        raise Impossible
    # Rounding belongs to the position: what it makes of a difference goes to the largest lot.
    after[after.index(max(after))] += whole - sum(after, ZERO)
    for lot, quantity in zip(state.lots, after, strict=True):
        lot.quantity = quantity
    state.quantity = whole


def _take(state: State, quantity: Decimal) -> tuple[Decimal, list[tuple[int, Decimal, Decimal]]]:
    if quantity > state.quantity:
        raise Impossible
    cost = state.cost if quantity == state.quantity else ratio(state.cost, quantity, state.quantity)
    state.quantity -= quantity
    state.cost -= cost
    parts = []
    while quantity:
        oldest = state.lots[0]
        taken = min(quantity, oldest.quantity)
        part = oldest.cost if taken == oldest.quantity else ratio(oldest.cost, taken, oldest.quantity)
        parts.append((oldest.age[0], taken, part))
        quantity -= taken
        oldest.quantity -= taken
        oldest.cost -= part
        if not oldest.quantity:
            state.lots.pop(0)
    return cost, parts
