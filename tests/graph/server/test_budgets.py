"""What one user may use: operations at once, seconds of the processor and of the database, and sockets."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from graph.errors import Throttled
from graph.server.budgets import ADDRESS_FACTOR, MOST_WAITING, BudgetLimits, UserBudgets
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from tests.graph.conftest import Api, built
from tests.graph.server.served import serve
from tests.graph.stored import row_id
from tests.http import loopback


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def budgets(clock: Clock | None = None, processor: Clock | None = None, **limits: float) -> UserBudgets:
    chosen = BudgetLimits(**{"operations": 0, "seconds": 0, "sockets": 0, **limits})  # type: ignore[arg-type]
    return UserBudgets(chosen, 5, clock or Clock(), processor or Clock())


async def test_seconds_are_given_back_one_each_second() -> None:
    clock = Clock()
    budget = budgets(clock, seconds=60)
    budget.leave(await budget.enter("anna"), 65.0)
    with pytest.raises(Throttled) as refused:
        await budget.enter("anna")
    assert refused.value.extensions == {"code": "THROTTLED", "retryAfter": 5}
    # Nobody else is concerned.
    budget.leave(await budget.enter("berta"), 1.0)
    clock.now += 5
    with pytest.raises(Throttled) as refused:
        await budget.enter("anna")
    assert refused.value.extensions is not None
    assert refused.value.extensions["retryAfter"] == 1
    clock.now += 0.5
    budget.leave(await budget.enter("anna"), 0.0)


async def test_who_uses_a_second_a_second_is_never_refused() -> None:
    clock = Clock()
    budget = budgets(clock, seconds=2)
    for _ in range(100):
        visit = await budget.enter("anna")
        clock.now += 1
        budget.leave(visit, 1.0)


async def test_the_processor_is_shared_by_the_operations_that_run() -> None:
    clock, processor = Clock(), Clock()
    budget = budgets(clock, processor, seconds=10)
    first = await budget.enter("anna")
    processor.now += 4
    second = await budget.enter("berta")
    processor.now += 4
    budget.leave(first, 0.0)
    processor.now += 4
    budget.leave(second, 0.0)
    # Nobody ran: nobody is charged.
    processor.now += 100
    assert {key: usage.used for key, usage in budget._usage.items()} == {"anna": 6.0, "berta": 6.0}


async def test_others_of_one_user_wait_in_line_and_other_users_do_not() -> None:
    budget = budgets(operations=1)
    order: list[str] = []
    first = await budget.enter("anna")

    async def later(name: str) -> None:
        visit = await budget.enter("anna")
        order.append(name)
        budget.leave(visit, 0.0)

    tasks = [asyncio.create_task(later(name)) for name in ("second", "gone", "third")]
    await asyncio.sleep(0)
    budget.leave(await budget.enter("berta"), 0.0)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert order == []
    budget.leave(first, 0.0)
    await asyncio.gather(tasks[0], tasks[2])
    assert order == ["second", "third"]
    assert budget._usage["anna"].running == 0


async def test_a_turn_that_was_given_to_one_who_has_left_is_the_next_ones() -> None:
    budget = budgets(operations=1)
    first = await budget.enter("anna")
    leaver, waiter = (asyncio.create_task(budget.enter("anna")) for _ in range(2))
    await asyncio.sleep(0)
    budget.leave(first, 0.0)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    budget.leave(await waiter, 0.0)
    assert budget._usage["anna"].running == 0


async def test_who_comes_anew_takes_no_place_that_the_next_in_line_has_been_given() -> None:
    budget = budgets(operations=1)
    first = await budget.enter("anna")
    waiter = asyncio.create_task(budget.enter("anna"))
    await asyncio.sleep(0)
    budget.leave(first, 0.0)
    # The waiter has not gone on yet.
    late = asyncio.create_task(budget.enter("anna"))
    second = await waiter
    await asyncio.sleep(0)
    assert (late.done(), budget._usage["anna"].running) == (False, 1)
    budget.leave(second, 0.0)
    budget.leave(await late, 0.0)
    assert budget._usage["anna"].running == 0


async def test_the_line_is_bounded() -> None:
    budget = budgets(operations=1)
    first = await budget.enter("anna")
    waiting = [asyncio.create_task(budget.enter("anna")) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Throttled):
        await budget.enter("anna")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    budget.leave(first, 0.0)
    budget.leave(await budget.enter("anna"), 0.0)


def test_sockets_are_counted() -> None:
    budget = budgets(sockets=2)
    budget.open_socket("anna")
    budget.open_socket("anna")
    with pytest.raises(Throttled):
        budget.open_socket("anna")
    budget.open_socket("berta")
    budget.close_socket("anna")
    budget.open_socket("anna")


@pytest.fixture(scope="module")
def strict(app_url: str, ring: KeyRing, secret_box: SecretBox) -> Iterator[tuple[str, UserBudgets]]:
    """A server on which nobody may be ahead by more than a minute, or have a second socket; its budgets."""
    app: Any = built(app_url, ring, secret_box, seconds_per_user=60, sockets_per_user=1)
    budgets = app.direct._operations.budgets
    with serve(app) as url:
        yield url, budgets


def test_a_throttled_request_says_when_to_try_again(
    strict: tuple[str, UserBudgets], register: Callable[[], Api]
) -> None:
    url, budgets = strict
    greedy, modest = register(), register()
    assert greedy.user_id is not None
    budgets.charge(row_id(greedy.user_id), 3660)
    logout = 'mutation { logout(input: {refreshToken: ""}) { userErrors { code } } }'
    for user, status in ((greedy, 429), (modest, 200)):
        headers = {
            "authorization": f"Bearer {user.token}",
            "content-type": "application/json",
            "accept": "application/graphql-response+json",
        }
        for query in ("{ me { id } }", logout, "{ __typename }"):
            answer = loopback.post(f"{url}/graphql", json={"query": query}, headers=headers)
            assert answer.status_code == status
            if status == 429:
                (error,) = answer.json()["errors"]
                seconds = error["extensions"].pop("retryAfter")
                assert error["extensions"] == {"code": "THROTTLED"}
                assert 3000 < seconds <= 3600
                assert answer.headers["retry-after"] == str(seconds)


def test_an_address_has_so_many_sockets(strict: tuple[str, UserBudgets]) -> None:
    address = strict[0].replace("http", "ws") + "/graphql"
    with ExitStack() as opened:
        for _ in range(ADDRESS_FACTOR):
            opened.enter_context(_socket(address))
        with pytest.raises(InvalidStatus) as refused, _socket(address):
            pass
    assert refused.value.response.status_code == 403


def test_a_user_has_so_many_sockets(strict: tuple[str, UserBudgets], register: Callable[[], Api]) -> None:
    address = strict[0].replace("http", "ws") + "/graphql"
    begin = json.dumps(
        {"type": "connection_init", "payload": {"authorization": f"Bearer {register().token}"}}
    )
    with _socket(address) as first, _socket(address) as second:
        first.send(begin)
        assert json.loads(first.recv()) == {"type": "connection_ack"}
        second.send(begin)
        with pytest.raises(ConnectionClosed) as closed:
            second.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4403,
        "You have 1 WebSockets open: close one first.",
    )


def _socket(address: str) -> Any:
    return connect(address, subprotocols=[Subprotocol("graphql-transport-ws")])
