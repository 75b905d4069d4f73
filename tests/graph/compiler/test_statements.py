"""Gates without a clock: the statements that documents take, and the share of them that is compiled."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from tests.graph.compiler.both import Both
from tests.graph.ownership.people import Person
from tests.graph.test_documented_queries import SHOWN
from tests.graph.test_statements import ALLOCATION, EVERYTHING, EXPLAINED, PERFORMANCE
from tests.round_trips import Trips, watched

TREE = (Path(__file__).parents[3] / "graph" / "graphiql" / "tree.graphql").read_text()
STORED = {
    "me": "{ me { id username } }",
    "tree": TREE,
    "everything": EVERYTHING,
    "a page": """query($n: Int = 5, $c: String) { me { accounts { nodes { portfolios { nodes {
        transactions(first: $n, after: $c) { totalCount pageInfo { hasNextPage endCursor }
          edges { cursor node { id symbol } } } } } } } } }""",
    "alerts": "{ me { alertCounts { total } alerts { nodes { title rule { name } metrics { name value } } } } }",
    "market": '{ instrument(symbol: "AAPL") { lastPrice splits { exDate } } instruments { totalCount } }',
    "by id": "query($portfolio: ID!) { node(id: $portfolio) { id ... on Portfolio { totalValue } } }",
    "several": "query($portfolio: ID!) { nodes(ids: [$portfolio, $portfolio]) { id } }",
}
MIXED = {
    # What is stored, and then what the resolvers ask for the places.
    "performance": (PERFORMANCE, 1 + 10),
    "allocation": (ALLOCATION, 1 + 7),
    "explained": (EXPLAINED, 1 + 9),
}


@pytest.fixture(scope="module", autouse=True)
def trips() -> Iterator[Trips]:
    with watched() as trips:
        yield trips


async def _sent(both: Both, trips: Trips, person: Person, query: str, variables: dict[str, Any]) -> list[str]:
    """The statements of a document whose statements are prepared."""
    for _ in range(2):
        with trips.counting() as sent:
            response, _ = await both.ask(person.token, query, variables)
    return sent


def _shown() -> list[Any]:
    found = []
    for each in SHOWN:
        (operation,) = [
            one for one in parse(each.values[0]).definitions if isinstance(one, OperationDefinitionNode)
        ]
        if operation.operation is OperationType.QUERY:
            found.append(each)
    return found
