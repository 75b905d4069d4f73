"""The proof after the faults: what was answered is there once, and nothing is there twice."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.sessions import open_sessions
from db.trading.verification import verify_all
from graph.ids import parse_global_id
from tests.faults.intents import Intent
from tests.faults.world import World

_RESTING = """SELECT o.id, o.status, p.status AS at_broker FROM orders o
LEFT JOIN paper_orders p ON p.client_order_id = o.client_order_id
WHERE o.owner_id = ANY($1) AND o.status NOT IN ('FILLED', 'CANCELLED', 'EXPIRED', 'REJECTED')
  AND NOT (o.status IN ('ACCEPTED', 'PARTIALLY_FILLED') AND p.status = 'OPEN' AND o.type = 'LIMIT')"""

_UNLIKE_THE_BROKERS = """SELECT o.id, o.filled_quantity, p.filled_quantity FROM orders o
JOIN paper_orders p ON p.client_order_id = o.client_order_id
WHERE o.owner_id = ANY($1) AND o.filled_quantity <> p.filled_quantity"""

_UNBALANCED = """SELECT transfer_id FROM transactions WHERE owner_id = ANY($1) AND transfer_id IS NOT NULL
GROUP BY owner_id, transfer_id HAVING sum(cash_delta) <> 0 OR count(*) <> 2"""

_IN_TRANSACTION = """SELECT pid, state, query FROM pg_stat_activity
WHERE application_name = 'graphfolio' AND state LIKE 'idle in transaction%'
  AND state_change < clock_timestamp() - interval '1 second'"""


async def prove(world: World, intents: Sequence[Intent]) -> None:
    """Looks at everything that these intents, and those only, have left for their owners."""
    users = list({intent.place.user_id for intent in intents})
    await world.settled(users)
    await _prove_transactions(world, intents, users)
    await _prove_orders(world, intents, users)
    assert await world.cluster.rows(_RESTING, users) == []
    assert await world.cluster.rows(_UNLIKE_THE_BROKERS, users) == []
    assert await world.cluster.rows(_UNBALANCED, users) == []
    await prove_nothing_hangs(world)
    assert await differences(world) == []


async def prove_nothing_hangs(world: World) -> None:
    """No server has left a transaction open."""
    hanging = await world.cluster.rows(_IN_TRANSACTION)
    assert hanging == [], hanging


async def differences(world: World) -> list[str]:
    """What `verify` finds."""
    async with open_sessions(world.cluster.url("graphfolio_app"), size=2) as sessions:
        return list((await verify_all(sessions, lambda step, done, total: None)).differences)


async def _prove_transactions(world: World, intents: Sequence[Intent], users: list[UUID]) -> None:
    stored: dict[str, list[Any]] = defaultdict(list)
    for row in await world.cluster.rows(
        "SELECT id, notes, type, cash_delta FROM transactions WHERE owner_id = ANY($1) "
        "AND order_id IS NULL ORDER BY type",
        users,
    ):
        stored[row["notes"]].append(row)
    for intent in intents:
        if intent.name == "placeOrder":
            continue
        rows = stored.pop(intent.key, [])
        found = [(row["type"], row["cash_delta"]) for row in rows]
        assert found in ([], intent.effects), (intent, found)
        if intent.answers:
            assert bool(found) is not intent.is_refused, (intent, found)
            assert len({_said(answer) for answer in intent.answers}) == 1, intent
            if found:
                assert _id(intent.answers[0]["transaction"]) in {row["id"] for row in rows}, intent
    # What is left was there before: the cash that people started with.
    assert stored.keys() <= {"Initial balance", "Initial cash"}, stored.keys()


async def _prove_orders(world: World, intents: Sequence[Intent], users: list[UUID]) -> None:
    kept = {
        str(row["key"]): row["id"]
        for row in await world.cluster.rows(
            "SELECT key, (outcome->>'id')::uuid AS id FROM idempotency_keys "
            "WHERE owner_id = ANY($1) AND field = 'placeOrder' AND outcome->>'id' IS NOT NULL",
            users,
        )
    }
    orders = await world.cluster.rows("SELECT id FROM orders WHERE owner_id = ANY($1)", users)
    placed = [intent for intent in intents if intent.name == "placeOrder"]
    assert sorted(row["id"] for row in orders) == sorted(kept.values())
    assert kept.keys() <= {intent.key for intent in placed}
    for intent in placed:
        ids = {_id(answer["order"]) for answer in intent.answers if answer["order"] is not None}
        assert not intent.answers or ids == ({kept[intent.key]} if intent.key in kept else set()), intent


def _said(answer: Any) -> str:
    """An answer without what may change between two of them."""
    return repr((answer.get("transaction"), answer["userErrors"]))


def _id(node: Any) -> UUID:
    return parse_global_id(node["id"])[1]


async def all_cash(world: World, user_id: UUID) -> Decimal:
    """All of a user's cash, wherever it is."""
    ((cash,),) = await world.cluster.rows(
        "SELECT (SELECT sum(unallotted_cash) FROM accounts WHERE owner_id = $1) + "
        "(SELECT coalesce(sum(cash_balance), 0) FROM portfolios WHERE owner_id = $1)",
        user_id,
    )
    return Decimal(cash)
