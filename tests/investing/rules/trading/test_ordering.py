"""The one order of entries of the same instant."""

import datetime as dt
import random
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from db.ids import uuid7
from db.vocabulary import TransactionType
from investing.rules.trading.ledger import SHARE_TYPES, Entry
from investing.rules.trading.merging import Merged, NewEntry, Past, cash_delta_of, merge
from investing.rules.trading.ordering import Trade, Waiting, order_key

PORTFOLIO, ABC, XYZ = (uuid.uuid4() for _ in range(3))
SYMBOLS = {ABC: "ABC", XYZ: "XYZ"}
MIDNIGHT = dt.datetime(2024, 1, 10, 5, tzinfo=dt.UTC)
ROWS = {
    "SELL": (TransactionType.SELL, ABC, "4", "11"),
    "BUY": (TransactionType.BUY, ABC, "10", "10"),
    "DEPOSIT": (TransactionType.DEPOSIT, None, None, "100"),
    "WITHDRAWAL": (TransactionType.WITHDRAWAL, None, None, "44"),
}


def entry(type: TransactionType, id: UUID | None, quantity: str | None, price: str) -> Entry:
    """An entry at midnight; its price is its amount where it has no quantity."""
    shares = None if quantity is None else Decimal(quantity)
    amount = Decimal(price) * (shares or 1)
    of_shares = id is not None and type in SHARE_TYPES
    return Entry(uuid7(), type, MIDNIGHT, amount, Decimal(0), shares, Decimal(price), of_shares=of_shares)


def merged(rows: Sequence[tuple[Entry, UUID | None]], cash: str = "0", may_owe: bool = False) -> Merged:
    """What comes of rows whose order in the file does not matter."""

    def key(row: tuple[Entry, UUID | None]) -> tuple[object, ...]:
        one, id = row
        numbers = (one.quantity, one.price, one.amount, one.commission, one.split_for)
        return order_key(one.type, None if id is None else SYMBOLS[id], None, *numbers)

    new = [NewEntry(one, id) for one, id in sorted(rows, key=key)]
    ids = sorted(entry.entry.id for entry in new)
    new = [
        NewEntry(Entry(**{**vars(n.entry), "id": id}), n.instrument_id)
        for n, id in zip(new, ids, strict=True)
    ]
    return merge(Past(PORTFOLIO, Decimal(cash), may_owe, {}, time_zone="America/New_York"), new)


def in_order(found: Merged) -> list[TransactionType]:
    """The types of what was posted, as the ledger reads them."""
    return [one.type for one in sorted(found.entries.values(), key=lambda one: one.place)]


def test_a_statement_with_the_newest_line_first() -> None:
    """Each order of SELL, BUY, DEPOSIT and WITHDRAWAL at one midnight: 100 - 100 + 44 - 44 = 0."""
    for names in permutations(ROWS):
        found = merged([(entry(*ROWS[name]), ROWS[name][1]) for name in names])
        assert found.domain_errors == {}
        assert [type.value for type in in_order(found)] == ["DEPOSIT", "BUY", "SELL", "WITHDRAWAL"]


def test_a_sale_pays_for_a_purchase_that_comes_first_by_symbol() -> None:
    """ABC costs 30 and 20 is there: XYZ, bought for 10 and sold for 15, makes it 25, its second sale 40."""
    rows = [
        (entry(TransactionType.BUY, ABC, "3", "10"), ABC),
        (entry(TransactionType.BUY, XYZ, "2", "5"), XYZ),
        (entry(TransactionType.SELL, XYZ, "1", "15"), XYZ),
        (entry(TransactionType.SELL, XYZ, "1", "15"), XYZ),
    ]
    found = merged(rows, cash="20")
    assert found.domain_errors == {}
    assert [type.value for type in in_order(found)] == ["BUY", "SELL", "SELL", "BUY"]


def test_what_cannot_be_says_the_accounts_day() -> None:
    found = merged([(entry(TransactionType.SELL, ABC, "4", "11"), ABC)])
    (domain_error,) = found.domain_errors.values()
    # 05:00 UTC is midnight in New York.
    assert str(domain_error) == "4 shares are needed on 2024-01-10, 0 are held."


def test_a_place_that_is_given_comes_first() -> None:
    """As the ledger had it: a sale of what is bought after it is refused, where it would have waited."""
    buy, sell = entry(*ROWS["BUY"]), entry(*ROWS["SELL"])
    new = [
        NewEntry(sell, ABC, is_fixed=True),
        NewEntry(Entry(**{**vars(buy), "id": uuid7()}), ABC, is_fixed=True),
    ]
    found = merge(Past(PORTFOLIO, Decimal(100), False, {}), new)
    assert (list(found.domain_errors), [one.type for one in found.entries.values()]) == (
        [0],
        [TransactionType.BUY],
    )


_TRADES = st.lists(
    st.tuples(
        st.sampled_from([ABC, XYZ]), st.booleans(), st.integers(1, 4), st.integers(0, 5), st.integers(0, 9)
    ),
    max_size=14,
)


@given(_TRADES, st.integers(0, 20), st.booleans())
def test_always_the_first_that_is_possible(
    given: list[tuple[UUID, bool, int, int, int]], cash: int, may_owe: bool
) -> None:
    """Against the plainest way: look through all that are left, from the first on, again and again."""
    facts = sorted(given, key=lambda one: (SYMBOLS[one[0]], not one[1], one[2], one[3], one[4]))
    trades = [
        Trade(place, id, is_buy, Decimal(shares), Decimal((-1 if is_buy else 1) * shares * price - fee))
        for place, (id, is_buy, shares, price, fee) in enumerate(facts)
    ]
    waiting = Waiting(trades)
    assert _posted(lambda cash, held: waiting.next(cash, held), cash, may_owe) == _plainly(
        trades, cash, may_owe
    )
    assert len(waiting.rest()) + len(_plainly(trades, cash, may_owe)) == len(trades)


Next = Callable[[Decimal | None, Callable[[UUID], Decimal]], Trade | None]


def _posted(next: Next, cash: int, may_owe: bool) -> list[int]:
    balance, held, found = Decimal(cash), {ABC: Decimal(0), XYZ: Decimal(0)}, []
    while trade := next(None if may_owe else balance, held.__getitem__):
        balance += trade.cash_delta
        held[trade.instrument_id] += trade.quantity if trade.is_buy else -trade.quantity
        found.append(trade.place)
    return found


def _plainly(trades: list[Trade], cash: int, may_owe: bool) -> list[int]:
    left = list(trades)

    def next(cash: Decimal | None, held: Callable[[UUID], Decimal]) -> Trade | None:
        for trade in left:
            enough = cash is None or trade.cash_delta >= 0 or cash + trade.cash_delta >= 0
            if enough and (trade.is_buy or trade.quantity <= held(trade.instrument_id)):
                left.remove(trade)
                return trade
        return None

    return _posted(next, cash, may_owe)


def test_ten_thousand_at_one_instant() -> None:
    """5,000 purchases for 10 that one sale after another pays for: each waits for one, and none is looked at
    again and again. In no more time than a few seconds, where all with all would be 50 million steps."""
    trades = [Trade(place, ABC, True, Decimal(1), Decimal(-10)) for place in range(5000)]
    trades += [Trade(5000 + place, ABC, False, Decimal(1), Decimal(10)) for place in range(5000)]
    found = _posted(Waiting(trades).next, 10, False)
    assert found == [place for n in range(5000) for place in (n, 5000 + n)]


def test_permutations_of_random_rows_make_one_ledger() -> None:
    chance = random.Random(1)
    kinds = [TransactionType.BUY, TransactionType.SELL, TransactionType.DEPOSIT, TransactionType.FEE]
    for _ in range(60):
        facts = []
        for _ in range(8):
            type = chance.choice(kinds)
            id = chance.choice([ABC, XYZ]) if type in SHARE_TYPES else None
            facts.append((type, id, str(chance.randint(1, 4)) if id else None, str(chance.randint(1, 9))))
        found = []
        for _ in range(3):
            chance.shuffle(facts)
            one = merged([(entry(*fact), fact[1]) for fact in facts])
            posted = sorted(one.entries.values(), key=lambda e: e.place)
            found.append(
                (
                    [(e.type, e.quantity, e.price, cash_delta_of(e)) for e in posted],
                    sorted(str(domain_error) for domain_error in one.domain_errors.values()),
                    [(holding.quantity, holding.cost) for _, holding in sorted(one.holdings.items())],
                )
            )
        assert found[0] == found[1] == found[2]
