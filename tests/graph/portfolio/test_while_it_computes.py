"""Whatever computes at length, others are answered meanwhile; and it ends when its client goes."""

import importlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from graphql import get_introspection_query

from investing import background
from tests.graph.conftest import Api
from tests.graph.doing import key
from tests.graph.portfolio.performing import at, invested
from tests.graph.server.served import serve_tiny
from tests.graph.stored import Stored
from tests.http import loopback
from tests.waiting import PATIENCE

OF_ONE = "query($id: ID!) { node(id: $id) { ... on Portfolio { %s } } }"
TRY = "mutation($input: TestAlertRuleInput!) { testAlertRule(input: $input) { days } }"
IMPORT = "mutation($input: ImportTransactionsInput!) { importTransactions(input: $input) { okCount } }"
LONG = f"query Long {{ me {{ {' '.join(f'long{n}: username' for n in range(90))} }} }}"


@dataclass
class Held:
    """A function that computes for as long as the test says, and never gives way by itself."""

    function: Callable[..., Any]
    begun: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.begun.set()
        while not self.released.is_set():
            pass
        return self.function(*arguments, **options)


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Held]]:
    """Holds a function, named with its module, until it is released or the test ends."""
    holding: list[Held] = []

    def held(name: str) -> Held:
        module, _, function = name.rpartition(".")
        holding.append(Held(getattr(importlib.import_module(module), function)))
        monkeypatch.setattr(name, holding[-1])
        return holding[-1]

    yield held
    for each in holding:
        each.released.set()


def nothing_computes() -> None:
    """Wait until no thread computes."""
    deadline = time.monotonic() + PATIENCE
    while background._threads.running:
        assert time.monotonic() < deadline, "something still computes"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def mine(register: Callable[[], Api], market: None, stored: Stored, refresh: Callable[[], None]) -> Any:
    """A user with a portfolio, its id, and the portfolio's snapshots."""
    stored.instrument("ABC", "103")
    api = register()
    _, id = invested(api)
    refresh()
    return api, id


KINDS = {
    "performance": ("investing.portfolio.performance.measure", OF_ONE % "performance { volatility }"),
    "contributions": (
        "investing.portfolio.gains._gains",
        OF_ONE % "performance { contributions { gain } }",
    ),
    "periods": ("graph.portfolio.performance.by_period", OF_ONE % "performance { periods { netFlow } }"),
    "explanation": (
        "investing.rules.performance.explaining.sub_periods",
        OF_ONE % "performance { explain { subPeriods { totalCount } } }",
    ),
    "comparison": (
        "graph.portfolio.performance.compare",
        OF_ONE % 'performance(benchmark: "BENCH") { benchmark { beta } }',
    ),
    "plan": ("investing.rebalancing.planning.make_plan", OF_ONE % "rebalancePlan { planHash }"),
    "export": (
        "investing.trading.exporting._lines",
        "query($id: ID!) { exportTransactions(portfolioId: $id) }",
    ),
    "backtest": ("investing.alerts.backtest._outcome", TRY),
    "import": ("investing.trading.bulk.merge", IMPORT),
    "introspection": ("graph.server.introspection.execute_sync", get_introspection_query()),
    "validation": ("graph.limits.validate", LONG),
}


def variables(kind: str, id: str) -> dict[str, Any]:
    """What the operation is given."""
    if kind == "backtest":
        rule = {"name": "T", "kind": "PRICE_ABOVE", "symbol": "ABC", "threshold": "100"}
        return {"input": {**rule, "from": "2020-01-01", "to": "2020-01-31"}}
    if kind == "import":
        row = {"type": "DEPOSIT", "amount": "1", "executedAt": at(1)}
        return {"input": {"portfolioId": id, "rows": [row], "dryRun": True, "idempotencyKey": key()}}
    return {"id": id} if "$id" in KINDS[kind][1] else {}


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_answered_while_it_computes(
    mine: tuple[Api, str], kind: str, hold: Callable[[str], Held]
) -> None:
    api, id = mine
    name, query = KINDS[kind]
    held = hold(name)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(api.data, query, **variables(kind, id))
        assert held.begun.wait(PATIENCE)
        # Their answers are here before that one is, or they never come.
        assert Api(api.url).data("{ __typename }") == {"__typename": "Query"}
        assert api.data("{ me { username } }") == {"me": {"username": api.username}}
        assert not answer.done()
        held.released.set()
        answer.result(PATIENCE)


def test_the_computation_of_a_client_that_goes_ends(
    mine: tuple[Api, str], hold: Callable[[str], Held]
) -> None:
    api, id = mine
    held = hold("investing.portfolio.performance.measure")
    address = urlsplit(api.url)
    body = json.dumps({"query": KINDS["performance"][1], "variables": {"id": id}}).encode()
    with socket.create_connection((address.hostname, address.port)) as gone:
        gone.sendall(
            b"POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % ((api.token or "").encode(), len(body), body)
        )
        assert held.begun.wait(PATIENCE)
    # It was never released.
    nothing_computes()
    held.released.set()
    assert api.data(KINDS["performance"][1], id=id)["node"]["performance"]


def test_a_computation_ends_with_its_operations_time(hold: Callable[[str], Held]) -> None:
    held = hold("graph.server.introspection.execute_sync")
    with serve_tiny(operation_timeout_seconds=0.2) as tiny:
        asked = {"query": "{ __schema { queryType { name } } }"}
        answer = loopback.post(f"{tiny.url}/graphql", json=asked).json()
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["TIMEOUT"]
        nothing_computes()
        held.released.set()
        answer = loopback.post(f"{tiny.url}/graphql", json=asked).json()
        assert answer["data"] == {"__schema": {"queryType": {"name": "Query"}}}


def test_introspection_is_computed_once(nobody: Api, hold: Callable[[str], Held]) -> None:
    held = hold("graph.server.introspection.execute_sync")
    held.released.set()
    query = "query Once { __schema { types { name } } again: __typename }"
    first = nobody.post(query)
    assert held.begun.is_set()
    held.begun.clear()
    assert nobody.post(query) == first
    assert not held.begun.is_set()


def test_introspection_with_variables_or_errors_is_computed_each_time(nobody: Api) -> None:
    query = "query($name: String!) { __type(name: $name) { name } }"
    for name in ("Portfolio", "Account"):
        assert nobody.data(query, name=name) == {"__type": {"name": name}}
    assert nobody.codes(query) == ["BAD_USER_INPUT"]


def test_introspection_goes_beside_data_if_it_is_small(nobody: Api, register: Callable[[], Api]) -> None:
    api = register()
    small = '{ me { username } ...More } fragment More on Query { __type(name: "User") { name } }'
    assert api.data(small) == {"me": {"username": api.username}, "__type": {"name": "User"}}
    whole = get_introspection_query().replace("{", "{ instruments(first: 1) { totalCount }", 1)
    (error,) = nobody.post(whole)["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert error["message"].endswith("the limit is 20000. Send it as an operation of its own.")
