"""Promise 7: a rebalance on paper happens whole or not at all; at a broker every leg is accounted for.

A server process is killed with SIGKILL at each step of a rebalance: every statement, commit and question to
the broker.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from graph.ids import parse_global_id
from tests.faults.cluster import free_port
from tests.faults.intents import Place
from tests.faults.proof import differences, prove_nothing_hangs
from tests.faults.waiting import until
from tests.faults.wire import Lost, Wire
from tests.faults.world import World

PROGRAM = Path(__file__).parent / "dying.py"
LAST = 10**9

_AIM = """mutation($input: UpdatePortfolioInput!) { updatePortfolio(input: $input) {
  userErrors { message } } }"""
_REBALANCE = """mutation($input: RebalancePortfolioInput!) { rebalancePortfolio(input: $input) {
  rebalance { id status legs { nodes { status } } } userErrors { code message } } }"""


@dataclass
class RebalanceIntent:
    """A rebalance that somebody wants once: half of what they hold for each of two others."""

    place: Place
    symbols: Sequence[str]
    key: str

    @property
    def portfolio_id(self) -> UUID:
        """The row's id."""
        return parse_global_id(self.place.portfolio_ids[0])[1]

    @property
    def body(self) -> dict[str, Any]:
        """The operation."""
        given = {"portfolioId": self.place.portfolio_ids[0], "idempotencyKey": self.key}
        return {"query": _REBALANCE, "variables": {"input": given}}


async def _request(world: World) -> RebalanceIntent:
    """Somebody who holds 100 of one instrument, and wants 50 each of two others."""
    place = await world.person("1000", 1)
    a, b, c = sorted(await world.listed(3))
    await _aim(world, place, {a: "1"})
    first = RebalanceIntent(place, (a,), str(uuid.uuid4()))
    await world.ask(_REBALANCE, place.token, **first.body["variables"])
    await _aim(world, place, {b: "0.5", c: "0.5"})
    return RebalanceIntent(place, (a, b, c), str(uuid.uuid4()))


async def _aim(world: World, place: Place, by_symbol: dict[str, str]) -> None:
    weights = [{"symbol": symbol, "weight": weight} for symbol, weight in by_symbol.items()]
    given = {"portfolioId": place.portfolio_ids[0], "strategy": "CUSTOM", "targetWeights": weights}
    await world.ask(_AIM, place.token, input=given)


class Nursery:
    """Where servers come from that die."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def born(self, environment: dict[str, str], log: Path) -> int:
        """The process id of a new one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"environment": environment, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, PROGRAM], stdin=pipe, stdout=pipe, text=True) as process:
        yield Nursery(process)


async def _killed_at(
    world: World, nursery: Nursery, step: int, request: RebalanceIntent, legs: bool, folder: Path
) -> int:
    """Asks a server for the rebalance that dies at this step. How many steps there were."""
    count = folder / f"count-{uuid.uuid4().hex}"
    port = free_port()
    environment = {
        **world.fleet.servers[0].environment,
        "GRAPHFOLIO_PORT": str(port),
        "GRAPHFOLIO_WORKER": "false",
        "DYING_AT": str(step),
        "DYING_COUNT": str(count),
        "DYING_LEGS": "1" if legs else "",
    }
    pid = nursery.born(environment, folder / "log")
    try:

        async def ready() -> bool:
            with suppress(Lost):
                return await Wire().get(port, "/ready") == 200
            return False

        await until(ready, 60)
        wire = Wire()
        try:
            answer = await wire.post(port, request.body, request.place.token)
            assert step > int(count.read_text()), answer
            assert answer["data"]["rebalancePortfolio"]["userErrors"] == []
        except Lost:
            assert step <= int(count.read_text())
        wire.close()
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return int(count.read_text())


async def _state(world: World, request: RebalanceIntent) -> list[Any]:
    """Of each rebalance of the wish: its status, its legs and trades, and what its orders say."""
    return [
        tuple(row)
        for row in await world.cluster.rows(
            """SELECT r.status,
                      (SELECT count(*) FROM rebalance_legs l WHERE l.rebalance_id = r.id) AS legs,
                      (SELECT count(*) FROM orders o WHERE o.rebalance_id = r.id) AS orders,
                      (SELECT count(*) FROM transactions t JOIN orders o ON o.id = t.order_id
                       WHERE o.rebalance_id = r.id) AS trades
               FROM rebalance_history r WHERE r.portfolio_id = $1 ORDER BY r.id OFFSET 1""",
            request.portfolio_id,
        )
    ]


async def _prove(world: World, request: RebalanceIntent) -> None:
    """All of it is there, once, and nothing else of it."""
    assert await _state(world, request) == [("COMPLETED", 3, 3, 3)]
    a, b, c = request.symbols
    held = await world.cluster.rows(
        """SELECT i.symbol, trim_scale(p.quantity)::text AS quantity FROM positions p
           JOIN instruments i ON i.id = p.instrument_id WHERE p.portfolio_id = $1 ORDER BY i.symbol""",
        request.portfolio_id,
    )
    assert [tuple(row) for row in held] == [(a, "0"), (b, "50"), (c, "50")]
    books = await world.cluster.rows(
        """SELECT trim_scale(p.filled_quantity)::text AS quantity FROM paper_orders p
           JOIN instruments i ON i.id = p.instrument_id WHERE i.symbol = ANY($1) ORDER BY 1""",
        list(request.symbols),
    )
    assert [row["quantity"] for row in books] == ["100", "100", "50", "50"]
    reserved = await world.cluster.rows(
        """SELECT reserved_cash + (SELECT sum(reserved_quantity) FROM positions WHERE portfolio_id = p.id)
           AS reserved FROM portfolios p WHERE id = $1""",
        request.portfolio_id,
    )
    assert reserved[0]["reserved"] == 0


async def _finished(world: World, request: RebalanceIntent) -> None:
    """Waits until whoever is alive has carried the rebalance to its end; leases of the dead end now."""

    async def ended() -> bool:
        for table, key in (("rebalance_work", "rebalance_id"), ("order_work", "order_id")):
            await world.cluster.rows(
                f"UPDATE {table} SET due_at = now() WHERE owner_id = $1 AND {key} IS NOT NULL",
                request.place.user_id,
            )
        return all(status != "RUNNING" for status, *_ in await _state(world, request))

    await until(ended, 60, 0.2)


async def _killed_and_done(world: World, nursery: Nursery, step: int, folder: Path, *, legs: bool) -> int:
    request = await _request(world)
    steps = await _killed_at(world, nursery, step, request, legs, folder)
    left = await _state(world, request)
    if legs:
        # What is written down is carried to its end by those who live, also if nobody asks again.
        assert len(left) <= 1
        await _finished(world, request)
        assert await _state(world, request) in ([], [("COMPLETED", 3, 3, 3)])
    else:
        assert left in ([], [("COMPLETED", 3, 3, 3)]), (step, left)
    answer = await world.ask(_REBALANCE, request.place.token, **request.body["variables"])
    payload = answer["rebalancePortfolio"]
    assert payload["userErrors"] == []
    assert payload["rebalance"]["status"] == "COMPLETED"
    assert [leg["status"] for leg in payload["rebalance"]["legs"]["nodes"]] == ["FILLED"] * 3
    await _prove(world, request)
    return steps


def _points(steps: int, number: int) -> list[int]:
    """So many steps from the first to the last, evenly."""
    return sorted({1 + round(n * (steps - 1) / (number - 1)) for n in range(number)})


_SIZES = pytest.mark.parametrize(
    "times",
    [
        pytest.param(0, id="short"),
        pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(0)], id="full"),
    ],
)


@_SIZES
@pytest.mark.parametrize("legs", [False, True], ids=["paper", "broker"])
async def test_killed_at_any_step(
    world: World, nursery: Nursery, tmp_path: Path, times: int, legs: bool
) -> None:
    steps = await _killed_and_done(world, nursery, LAST, tmp_path, legs=legs)
    assert steps > 20
    for step in _points(steps, 6) if not times else [*range(1, steps + 1)] * times:
        # The last ones may be past the end, where there was less to do than the first time.
        await _killed_and_done(world, nursery, step, tmp_path, legs=legs)
    print(f"{steps} steps")
    await prove_nothing_hangs(world)
    assert await differences(world) == []
