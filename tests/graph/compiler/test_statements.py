"""Gates without a clock: the statements that documents take, and the share of them that is compiled."""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from db.tree_connections import TreeConnections
from tests.graph.compiler.both import Both
from tests.graph.ownership.people import Person
from tests.graph.test_documented_queries import SHOWN
from tests.graph.test_statements import ALLOCATION, EVERYTHING, EXPLAINED, PERFORMANCE

TREE = (Path(__file__).parents[3] / "graph" / "graphiql" / "tree.graphql").read_text()
STORED = {
    "me": "{ me { id username } }",
    "tree": TREE,
    "everything": EVERYTHING,
    "a page": """query($n: Int = 5, $c: String) { me { accounts { nodes { portfolios { nodes {
        transactions(first: $n, after: $c) { totalCount pageInfo { hasNextPage endCursor }
          edges { cursor node { id symbol } } } } } } } } }""",
    "alerts": "{ me { alertCounts { total } alerts { nodes { title rule { name } } } } }",
    "market": '{ instrument(symbol: "AAPL") { lastPrice splits { exDate } } instruments { totalCount } }',
    "by id": "query($portfolio: ID!) { node(id: $portfolio) { id ... on Portfolio { totalValue } } }",
    "several": "query($portfolio: ID!) { nodes(ids: [$portfolio, $portfolio]) { id } }",
}
MIXED = {
    # What is stored, and then what the resolvers ask for the places: a bound, since fields that begin at the
    # same moment share a read, and others do not.
    "performance": (PERFORMANCE, 36),
    "allocation": (ALLOCATION, 16),
    "explained": (EXPLAINED, 24),
}


MINE: ContextVar[list[str] | None] = ContextVar("mine", default=None)
"""What the test's own operation sends; the server's own work goes on meanwhile."""


@pytest.fixture(scope="module", autouse=True)
def noted() -> Iterator[None]:
    """Everything that is sent is noted in `MINE`. asyncpg's own log leaves out prepared statements."""
    connect, fetch = asyncpg.connect, TreeConnections.fetch

    def note(sql: str) -> None:
        mine = MINE.get()
        if mine is not None:
            mine.append(" ".join(sql.split()))

    async def connect_and_note(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        connection.add_query_logger(lambda record: note(record.query))
        return connection

    async def fetch_and_note(connections: TreeConnections, sql: str, *rest: Any) -> bytes | None:
        note(sql)
        return await fetch(connections, sql, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", connect_and_note)
        patch.setattr(TreeConnections, "fetch", fetch_and_note)
        yield


def _shown() -> dict[str, str]:
    """The queries that README.md and the pages of docs show."""
    found = {}
    for each in SHOWN:
        query = str(each.values[0])
        operations = [one for one in parse(query).definitions if isinstance(one, OperationDefinitionNode)]
        if [one.operation for one in operations] == [OperationType.QUERY]:
            found[str(each.id)] = query
    return found


@pytest.fixture
def variables(person: Person) -> dict[str, Any]:
    return {"portfolio": person.ids["Portfolio"]}


async def _sent(both: Both, person: Person, query: str, variables: dict[str, Any]) -> list[str]:
    """The statements of a document that is asked again, without those that set the viewer alone."""
    response = await both.compiled(person.token, query, variables)
    assert b'"errors"' not in response.body, response.body
    sent: list[str] = []
    token = MINE.set(sent)
    assert (await both.compiled(person.token, query, variables)).body == response.body
    # The log is called back by the loop.
    await asyncio.sleep(0)
    MINE.reset(token)
    return [each for each in sent if not each.startswith("SELECT set_config") and "typeinfo" not in each]


@pytest.mark.parametrize("name", STORED)
async def test_what_is_stored_takes_one_statement(
    both: Both,
    person: Person,
    variables: dict[str, Any],
    name: str,
) -> None:
    (sent,) = await _sent(both, person, STORED[name], variables)
    assert sent.startswith("WITH v AS MATERIALIZED")


async def test_what_needs_nothing_stored_takes_none(both: Both, person: Person) -> None:
    assert await _sent(both, person, "{ __typename a: __typename }", {}) == []


@pytest.mark.parametrize("name", MIXED)
async def test_mixed_documents(both: Both, person: Person, name: str) -> None:
    query, most = MIXED[name]
    sent = await _sent(both, person, query, {})
    assert len(sent) <= most, "\n".join(each[:180] for each in sent)
    assert [each.startswith("WITH v AS MATERIALIZED") for each in sent] == [True] + [False] * (len(sent) - 1)


async def test_the_share_that_is_compiled(both: Both, person: Person, variables: dict[str, Any]) -> None:
    documents = {**STORED, **{name: query for name, (query, _) in MIXED.items()}, **_shown()}
    assert len(documents) > len(STORED) + len(MIXED)
    left = {name: await both.left(person.owner_id, query, variables) for name, query in documents.items()}
    assert {name: reason for name, reason in left.items() if reason is not None} == {}


LEFT = {
    "{ __schema { queryType { name } } }": "introspection",
    "{ me { performance { timeWeightedReturn } } }": None,
    "mutation { __typename }": "a mutation",
}


@pytest.mark.parametrize("query", LEFT)
async def test_what_is_left_to_the_resolvers(both: Both, person: Person, query: str) -> None:
    assert await both.left(person.owner_id, query, {}) == LEFT[query]
