"""Promises 1, 2, 3 and 5: intents sent again and again, at once, and to whichever server."""

import asyncio
import random
from collections import Counter

import pytest

from tests.faults.intents import Intent, Place, Wishes, cancel
from tests.faults.proof import all_cash, prove
from tests.faults.waiting import sizes
from tests.faults.wire import Wire
from tests.faults.world import World, attempt, insist


async def _send_often(world: World, intent: Intent, rng: random.Random) -> None:
    """One to five sendings, some of them at once, and then as many as it takes to be answered."""
    wires = [Wire() for _ in range(rng.randint(1, 5))]
    try:
        if rng.random() < 0.3:
            tries = [attempt(wire, world.fleet.any_port(rng), intent, rng, drop=0.5) for wire in wires]
            await asyncio.gather(*tries)
        else:
            for wire in wires:
                await attempt(wire, world.fleet.any_port(rng), intent, rng, drop=0.5)
        if not intent.answers:
            await insist(world, wires[0], intent, rng)
    finally:
        for wire in wires:
            wire.close()


@sizes(250, 10_000)
async def test_every_intent_has_its_effect_once(world: World, rng: random.Random, size: int) -> None:
    places = [await world.person() for _ in range(3)]
    symbols = await world.listed(3)
    requests = Wishes(rng, places, symbols)
    intents = [requests.next() for _ in range(size)]
    waiting = list(reversed(intents))

    async def work(chance: random.Random) -> None:
        while waiting:
            intent = waiting.pop()
            await _send_often(world, intent, chance)
            if intent.name == "placeOrder" and chance.random() < 0.2 and intent.answers[0]["order"]:
                await _cancel(world, intent, chance)
            if chance.random() < 0.02:
                await world.tick(chance.choice(symbols), str(chance.randint(5, 15)))

    await asyncio.gather(*(work(random.Random(rng.random())) for _ in range(12)))
    assert all(intent.answers for intent in intents)
    await prove(world, intents)
    await _prove_conserved(world, places, intents)


async def _cancel(world: World, intent: Intent, rng: random.Random) -> None:
    """A cancelled order stays cancelled, and one that had ended is said to have."""
    order_id = intent.answers[0]["order"]["id"]
    wire = Wire()
    said = late = ["BROKER_UNAVAILABLE"]
    # On a busy machine the broker may answer too late, and whoever asked is told to try again.
    while said == late:
        answer = await wire.post(
            world.fleet.any_port(rng), cancel(intent.place, order_id), intent.place.token
        )
        (payload,) = answer["data"].values()
        said = [error["code"] for error in payload["userErrors"]]
    wire.close()
    assert said == ["ORDER_NOT_OPEN"] or payload["order"]["status"] == "CANCELLED", answer


async def _prove_conserved(world: World, places: list[Place], intents: list[Intent]) -> None:
    """Cash is what came in and what trades brought, whatever was moved about (promise 5)."""
    for place in places:
        told = sum(
            sum(cash for _, cash in intent.effects)
            for intent in intents
            if intent.place is place and intent.answers and not intent.is_refused
        )
        ((traded,),) = await world.cluster.rows(
            "SELECT coalesce(sum(cash_delta), 0) FROM transactions "
            "WHERE owner_id = $1 AND order_id IS NOT NULL",
            place.user_id,
        )
        assert await all_cash(world, place.user_id) == 300_000 + told + traded


@sizes(5, 500)
async def test_one_key_has_one_result(world: World, rng: random.Random, size: int) -> None:
    place = await world.person()
    requests = Wishes(rng, [place], await world.listed(2))
    wires = [Wire() for _ in range(50)]
    intents = [requests.next() for _ in range(size)]
    for intent in intents:
        other = intent.with_other_arguments()
        sent = [attempt(wire, world.fleet.any_port(rng), intent, rng) for wire in wires]
        assert all(await asyncio.gather(*sent)), world.fleet.servers[0].log[-3000:]
        assert await attempt(wires[0], world.fleet.any_port(rng), other, rng)
        assert [error["code"] for error in other.answers[0]["userErrors"]] == ["IDEMPOTENCY_MISMATCH"]
    for wire in wires:
        wire.close()
    await prove(world, intents)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(
    ("rounds", "attempts", "enough"),
    [
        pytest.param(1, 120, 20, id="short"),
        pytest.param(100, 1000, 100, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
async def test_no_overdraft_and_no_oversell(
    world: World, rng: random.Random, side: str, rounds: int, attempts: int, enough: int
) -> None:
    for _ in range(rounds):
        (symbol,) = await world.listed(1)
        place = await world.person(str(enough * 10), portfolios=1)
        if side == "SELL":
            bought = _order(place, symbol, "BUY", enough, rng)
            wire = Wire()
            await insist(world, wire, bought, rng)
            wire.close()
            assert bought.answers[0]["userErrors"] == []
        orders = [_order(place, symbol, side, 1, rng) for _ in range(attempts)]
        wires = [Wire() for _ in range(60)]
        waiting = list(orders)

        async def work(wire: Wire, waiting: list[Intent]) -> None:
            while waiting:
                await insist(world, wire, waiting.pop(), rng)
            wire.close()

        await asyncio.gather(*(work(wire, waiting) for wire in wires))
        outcome = Counter("no" if order.is_refused else "yes" for order in orders)
        assert outcome == {"yes": enough, "no": attempts - enough}
        await prove(world, [*orders, *([bought] if side == "SELL" else [])])


def _order(place: Place, symbol: str, side: str, quantity: int, rng: random.Random) -> Intent:
    given = {"portfolioId": place.portfolio_ids[0], "symbol": symbol, "side": side, "quantity": str(quantity)}
    return Intent(place, "placeOrder", {**given, "idempotencyKey": Wishes(rng, [place], [symbol]).next().key})
