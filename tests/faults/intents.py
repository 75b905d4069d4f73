"""What clients want: seeded intents, each with a key of its own, and what each must leave in the ledger."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.faults.wire import Answer

ERRORS = "userErrors { __typename code message }"
_TRANSACTION = "transaction { id type amount cashDelta quantityDelta }"
_ORDER = "order { id status }"
_DOCUMENTS = {
    "deposit": f"mutation($input: CashInput!) {{ deposit(input: $input) {{ {_TRANSACTION} {ERRORS} }} }}",
    "withdraw": f"mutation($input: CashInput!) {{ withdraw(input: $input) {{ {_TRANSACTION} {ERRORS} }} }}",
    "transferCash": "mutation($input: TransferCashInput!) { transferCash(input: $input) { "
    f"{_TRANSACTION} {ERRORS} }} }}",
    "recordTransaction": "mutation($input: RecordTransactionInput!) { recordTransaction(input: $input) { "
    f"{_TRANSACTION} {ERRORS} }} }}",
    "placeOrder": "mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { "
    f"{_ORDER} {ERRORS} }} }}",
    "cancelOrder": "mutation($input: CancelOrderInput!) { cancelOrder(input: $input) { "
    f"{_ORDER} {ERRORS} }} }}",
}


@dataclass(frozen=True)
class Place:
    """A user's token, account and portfolios, by their global ids."""

    token: str
    user_id: UUID
    account_id: str
    portfolio_ids: list[str]


@dataclass
class Intent:
    """One thing that somebody wants once.

    `effects` are the transactions that it stands for, as type and change of cash; an order has none here,
    since it trades later or never. `answers` are all payloads that came back, one for each sending at most.
    """

    place: Place
    name: str
    input: dict[str, Any]
    effects: list[tuple[str, Decimal]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return str(self.input["idempotencyKey"])

    @property
    def body(self) -> Answer:
        """The operation."""
        return {"query": _DOCUMENTS[self.name], "variables": {"input": self.input}}

    @property
    def is_refused(self) -> bool:
        """Whether an answer came, and it was a no."""
        return bool(self.answers) and bool(self.answers[0]["userErrors"])

    def with_other_arguments(self) -> "Intent":
        """Something else under the same key."""
        name = next(name for name in ("amount", "quantity") if name in self.input)
        other = str(Decimal(self.input[name]) + 1)
        return Intent(self.place, self.name, {**self.input, name: other})


class Wishes:
    """An endless source of intents for some places, the same for the same seed."""

    def __init__(self, rng: random.Random, places: list[Place], symbols: list[str]) -> None:
        self._rng = rng
        self._places = places
        self._symbols = symbols
        self._makers = [
            *[self._deposit] * 2,
            *[self._withdraw] * 2,
            *[self._transfer] * 2,
            *[self._record] * 3,
            *[self._market] * 3,
            self._limit,
        ]

    def __iter__(self) -> Iterator[Intent]:
        while True:
            yield self.next()

    def next(self) -> Intent:
        """One more intent."""
        place = self._rng.choice(self._places)
        key = str(UUID(int=self._rng.getrandbits(128), version=4))
        return self._rng.choice(self._makers)(place, key)

    def _amount(self, most: int = 500) -> Decimal:
        return Decimal(self._rng.randint(1, most * 100)) / 100

    def _deposit(self, place: Place, key: str) -> Intent:
        return self._cash("deposit", "DEPOSIT", 1, place, key)

    def _withdraw(self, place: Place, key: str) -> Intent:
        return self._cash("withdraw", "WITHDRAWAL", -1, place, key)

    def _cash(self, name: str, type: str, sign: int, place: Place, key: str) -> Intent:
        amount = self._amount()
        given = {"accountId": place.account_id, "amount": str(amount), "idempotencyKey": key, "notes": key}
        where = self._rng.choice([None, *place.portfolio_ids])
        if where is not None:
            given["portfolioId"] = where
        return Intent(place, name, given, [(type, sign * amount)])

    def _transfer(self, place: Place, key: str) -> Intent:
        amount = self._amount()
        ends = self._rng.sample([None, *place.portfolio_ids], 2)
        given = {
            "accountId": place.account_id,
            "fromPortfolioId": ends[0],
            "toPortfolioId": ends[1],
            "amount": str(amount),
            "idempotencyKey": key,
            "notes": key,
        }
        return Intent(place, "transferCash", given, [("TRANSFER_IN", amount), ("TRANSFER_OUT", -amount)])

    def _record(self, place: Place, key: str) -> Intent:
        given = {
            "portfolioId": self._rng.choice(place.portfolio_ids),
            "idempotencyKey": key,
            "notes": key,
            # Of the past, and at the same instants again and again.
            "executedAt": f"2024-{self._rng.randint(1, 12):02}-{self._rng.randint(1, 28):02}T12:00:00Z",
        }
        if self._rng.random() < 0.3:
            amount = self._amount()
            return Intent(
                place,
                "recordTransaction",
                {**given, "type": "INTEREST", "amount": str(amount)},
                [("INTEREST", amount)],
            )
        quantity, price = self._rng.randint(1, 20), self._amount(50)
        type, sign = self._rng.choice([("BUY", -1), ("BUY", -1), ("SELL", 1)])
        trade = {"symbol": self._rng.choice(self._symbols), "quantity": str(quantity), "price": str(price)}
        effects = [(type, sign * quantity * price)]
        return Intent(place, "recordTransaction", {**given, "type": type, **trade}, effects)

    def _market(self, place: Place, key: str) -> Intent:
        return self._order(place, key, {"quantity": str(self._amount(4))})

    def _limit(self, place: Place, key: str) -> Intent:
        # Most of these rest until a tick crosses them or somebody cancels them.
        limit = {"type": "LIMIT", "timeInForce": "GTC", "limitPrice": str(self._rng.randint(1, 15))}
        return self._order(place, key, {"quantity": str(self._rng.randint(1, 10)), **limit})

    def _order(self, place: Place, key: str, given: dict[str, Any]) -> Intent:
        order = {
            "portfolioId": self._rng.choice(place.portfolio_ids),
            "symbol": self._rng.choice(self._symbols),
            "side": self._rng.choice(["BUY", "BUY", "SELL"]),
            "idempotencyKey": key,
            **given,
        }
        return Intent(place, "placeOrder", order)


def cancel(place: Place, order_id: str) -> Answer:
    """The operation that cancels an order."""
    return {"query": _DOCUMENTS["cancelOrder"], "variables": {"input": {"orderId": order_id}}}
