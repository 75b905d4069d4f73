"""Entries of the past, splits, reversals and transfers, in any order: always what a fresh replay gives."""

import copy
from decimal import Decimal
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.sessions import Sessions
from investing.rules.errors import AlreadyReversed, InsufficientShares, InvalidInput
from tests.investing.trading.model import Given, Impossible, replay
from tests.investing.trading.world import World, forget, make_world, on

PORTFOLIOS = 3
DAYS = st.integers(0, 12)
PLACES = st.integers(0, PORTFOLIOS - 1)
SOME = st.decimals("0.5", "9", places=10)
MANY = st.decimals("5", "60", places=10)
PRICES = st.decimals("0.1", "50", places=10)
FEES = st.decimals("0", "2", places=10)

BUYS = st.tuples(st.just("BUY"), PLACES, DAYS, MANY, PRICES, FEES)
SALES = st.tuples(st.just("SELL"), PLACES, DAYS, SOME, PRICES, FEES)
SPLITS = st.tuples(st.just("SPLIT"), PLACES, DAYS, st.sampled_from([(2, 1), (3, 2), (1, 3), (7, 5)]))
MOVES = st.tuples(st.just("MOVE"), PLACES, DAYS, SOME, st.integers(1, PORTFOLIOS - 1))
REVERSALS = st.tuples(st.just("REVERSE"), st.integers(0, 100))
STEPS = st.one_of(BUYS, SALES, SALES, SPLITS, MOVES, MOVES, REVERSALS)

# Something to sell, so that most steps can be done.
FIRST: tuple[tuple[object, ...], ...] = (
    ("BUY", 0, 0, Decimal("30.0000000001"), Decimal("7.7777777777"), Decimal("0.99")),
    ("BUY", 1, 2, Decimal("25.3333333333"), Decimal("9.0000000003"), Decimal("1.01")),
    ("BUY", 0, 5, Decimal("11.1"), Decimal("12.3456789012"), Decimal(1)),
)


class Run:
    """The same steps on the database and on the model."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entries: list[Given] = []
        self.ids: list[UUID] = []
        self.pairs = 0

    async def step(self, step: tuple[object, ...]) -> None:
        """Does a step on both, which refuse the same ones."""
        tried = copy.deepcopy(self.entries)
        self.change(tried, step)
        try:
            replay(tried, PORTFOLIOS)
            possible = True
        except Impossible:
            possible = False
        repeated = tried == self.entries
        try:
            new = await self.do(step)
        except (InsufficientShares, InvalidInput):
            assert not possible, step
        except AlreadyReversed:
            assert repeated
        else:
            assert possible, step
            self.entries = tried
            self.ids += new

    def change(self, entries: list[Given], step: tuple[object, ...]) -> None:
        """What the step makes of the entries."""
        match step:
            case ("REVERSE", int(which)):
                if entries:
                    chosen = entries[which % len(entries)]
                    for entry in entries:
                        if entry is chosen or (chosen.pair is not None and entry.pair == chosen.pair):
                            entry.reversed = True
            case ("MOVE", int(at), int(day), Decimal() as quantity, int(further)):
                self.pairs += 1
                target = (at + further) % PORTFOLIOS
                entries.append(Given("OUT", at, day, quantity, pair=self.pairs))
                entries.append(Given("IN", target, day, quantity, pair=self.pairs))
            case ("SPLIT", int(at), int(day), (int(new), int(old))):
                entries.append(Given("SPLIT", at, day, Decimal(new), old=Decimal(old)))
            case (str(kind), int(at), int(day), Decimal() as quantity, Decimal() as price, Decimal() as fee):
                entries.append(Given(kind, at, day, quantity, price, fee))

    async def do(self, step: tuple[object, ...]) -> list[UUID]:
        """The step on the database; the ids of its entries."""
        match step:
            case ("REVERSE", int(which)):
                if self.ids:
                    await self.world.reverse(self.ids[which % len(self.ids)])
                return []
            case ("MOVE", int(at), int(day), Decimal() as quantity, int(further)):
                id = await self.world.move(day, str(quantity), at, (at + further) % PORTFOLIOS)
                sides = await self.world.rows(
                    "SELECT id FROM transactions WHERE owner_id = $1 AND transfer_id = "
                    "(SELECT transfer_id FROM transactions WHERE owner_id = $1 AND id = $2) ORDER BY id",
                    id,
                )
                return [side["id"] for side in sides]
            case ("SPLIT", int(at), int(day), (int(new), int(old))):
                return [await self.world.split(day, str(new), str(old), at)]
            case ("BUY", int(at), int(day), quantity, price, fee):
                return [await self.world.buy(day, str(quantity), str(price), str(fee), at)]
            case (_, int(at), int(day), quantity, price, fee):
                return [await self.world.sell(day, str(quantity), str(price), str(fee), at)]
        raise AssertionError(step)

    async def check(self) -> None:
        """The database has what the model replays, and `verify` agrees."""
        states, gains = replay(self.entries, PORTFOLIOS)
        for at, state in enumerate(states):
            figures = (state.quantity, state.cost, state.average, state.fifo)
            assert (await self.world.position(at) or (0, 0, 0, 0)) == figures
            lots = [(on(lot.age[0]), lot.quantity, lot.cost) for lot in state.lots]
            assert await self.world.lots(at) == lots
        sales = await self.world.rows(
            "SELECT id, realized_pnl, realized_pnl_fifo FROM transactions t WHERE owner_id = $1 "
            "AND type = 'SELL' AND reverses_id IS NULL AND NOT EXISTS "
            "(SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)"
        )
        stored = {
            row["id"]: (Decimal(row["realized_pnl"]), Decimal(row["realized_pnl_fifo"])) for row in sales
        }
        assert stored == {self.ids[place]: gain for place, gain in gains.items()}
        assert await self.world.differences() == []


@given(steps=st.lists(STEPS, min_size=6, max_size=16))
@settings(
    derandomize=True,
    max_examples=16,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_the_ledger_is_what_a_replay_from_scratch_gives(
    sessions: Sessions, superuser_url: str, steps: list[tuple[object, ...]]
) -> None:
    world = await make_world(sessions, superuser_url, portfolios=PORTFOLIOS)
    run = Run(world)
    try:
        for step in (*FIRST, *steps):
            await run.step(step)
            await run.check()
    finally:
        await forget(world, superuser_url)
