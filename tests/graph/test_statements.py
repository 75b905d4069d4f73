"""How many statements a tree costs the resolvers: as many as it is deep, however wide it is."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import sessions
from db.row_counts import _COUNT_ALL as ROW_COUNTS
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.stored import Stored, row_id

TREE = (Path(__file__).parent.parent.parent / "graph" / "graphiql" / "tree.graphql").read_text()
SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]


class Counter:
    """What the server has really sent, but for what each connection asks once.

    That is the viewer being set, and the driver's question what an array is. Counts of a user's rows, which
    are kept for a while, are told apart.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.counts_of_rows = 0

    def note(self, record: asyncpg.connection.LoggedQuery) -> None:
        """Takes one statement down."""
        if ROW_COUNTS == record.query:
            self.counts_of_rows += 1
        elif "set_config" not in record.query and "typeinfo_tree" not in record.query:
            self.sent.append(record.query)

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """The statements of the block."""
        self.sent.clear()
        yield self.sent


@pytest.fixture(scope="module")
def compiler() -> bool:
    return False


@pytest.fixture(scope="module", autouse=True)
def counter() -> Iterator[Counter]:
    """Hooked into asyncpg's own log of queries, on every connection that the server's pool opens."""
    counter = Counter()

    class Logged(sessions.ViewerConnection):
        async def act_for(self, *viewer: str) -> None:
            # Not before: a connection's own set-up is none of a tree's statements, and what the server looks
            # for by itself, on nobody's behalf, is none either.
            if viewer[0]:
                self.add_query_logger(counter.note)
            else:
                self.remove_query_logger(counter.note)
            await super().act_for(*viewer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "ViewerConnection", Logged)
        yield counter


@pytest.fixture(scope="module")
def narrow(counter: Counter, stored: Stored, register: Callable[[], Api]) -> Api:
    return _planted(stored, register(), 1, 1, SYMBOLS[:1], 1)


@pytest.fixture(scope="module")
def wide(counter: Counter, stored: Stored, register: Callable[[], Api]) -> Api:
    return _planted(stored, register(), 5, 4, SYMBOLS, 30)


def _planted(
    stored: Stored, api: Api, accounts: int, portfolios: int, symbols: list[str], entries: int
) -> Api:
    for symbol in SYMBOLS:
        stored.instrument(symbol, "12.5")
    assert api.user_id is not None
    stored.tree(row_id(api.user_id), accounts, portfolios, symbols, entries)
    return api


def _statements(counter: Counter, api: Api, query: str, **variables: Any) -> int:
    with counter.counting() as sent:
        api.data(query, **variables)
    return len(sent)


# Who asks, the summary; accounts and what they are worth; portfolios, theirs and their cash weight;
# positions with their weights; transactions.
OF_THE_TREE = 10


def test_the_tree(counter: Counter, narrow: Api, wide: Api) -> None:
    assert _statements(counter, narrow, TREE) == OF_THE_TREE
    assert _statements(counter, wide, TREE) == OF_THE_TREE
    portfolios = [
        portfolio
        for account in wide.data(TREE)["me"]["accounts"]["nodes"]
        for portfolio in account["portfolios"]["nodes"]
    ]
    assert len(portfolios) == 20
    assert {len(portfolio["positions"]["nodes"]) for portfolio in portfolios} == {6}
    assert {len(portfolio["transactions"]["nodes"]) for portfolio in portfolios} == {20}


def test_rows_are_counted_where_pages_alone_allow_too_much(
    counter: Counter, stored: Stored, register: Callable[[], Api]
) -> None:
    api = _planted(stored, register(), 1, 2, SYMBOLS, 3)
    pages = (
        "{ me { accounts { nodes { portfolios { nodes { positions(first: 500) { nodes { id } } } } } } } }"
    )
    account = api.data("{ me { accounts { nodes { id } } } }")["me"]["accounts"]["nodes"][0]["id"]
    rename = "mutation($i: UpdateAccountInput!) { updateAccount(input: $i) { account { name } } }"
    counter.counts_of_rows, told = 0, []
    for client, query, input in (
        (api, "{ me { accounts { nodes { name } } } }", None),
        (api, pages, None),
        (api, pages, None),
        # Whoever writes has other rows afterwards.
        (api, rename, {"accountId": account, "name": "Other"}),
        (api, pages, None),
        (Api(api.url), pages, None),
    ):
        client.post(query, i=input)
        told.append(counter.counts_of_rows)
    assert told == [0, 1, 1, 1, 2, 2]


EVERYTHING = """query {
  me { accounts { totalCount edges { cursor node { id owner { id } } }
    nodes { marketValue totalValue transactions(first: 3) { totalCount nodes { id account { name } } }
      portfolios { totalCount pageInfo { endCursor } edges { node { id } }
        nodes { cashWeight positionCount unpricedPositionCount costBasis account { name }
          orders { totalCount nodes { id } } rebalances { totalCount nodes { id } }
          performanceHistory { totalCount nodes { id } }
          transactions(last: 5) { totalCount edges { node { id portfolio { name } account { name } } } }
          positions { totalCount edges { cursor node { weight portfolio { name }
            instrument { name lastPrice
              priceHistory(last: 3) { totalCount nodes { close } } } } } } } } } } } }"""


def test_everything_below_a_user(counter: Counter, narrow: Api, wide: Api) -> None:
    of_the_narrow = _statements(counter, narrow, EVERYTHING)
    assert _statements(counter, wide, EVERYTHING) == of_the_narrow == 26


PERFORMANCE = """query { me { performance { ...P } accounts { nodes { performance { ...P }
    portfolios { nodes { performance { ...P }
      other: performance(from: "2024-05-31", benchmark: "AAA") { ...P } } } } } } }
  fragment P on Performance { timeWeightedReturn contributions { gain instrument { symbol } }
    periods { firstDay } benchmark { beta } }"""


def test_performance_at_every_level(
    counter: Counter, wide: Api, stored: Stored, app_url: str, register: Callable[[], Api]
) -> None:
    one = _planted(stored, register(), 1, 1, SYMBOLS[:1], 30)

    async def refresh() -> None:
        async with sessions.open_sessions(app_url, size=2) as opened:
            await refresh_due(opened)

    # Their ledgers were written past the services, which would have marked them.
    stored.run("UPDATE portfolios SET snapshots_stale_from = '2024-05-01'")
    asyncio.run(refresh())
    # Who asks, accounts and portfolios; at each of the three levels a transaction's begin and end, what there
    # is, its days and those of them with flows, and what each position gained; the days of the portfolios'
    # other span and those with flows, and the benchmark, which has no price.
    # The most of three: now and then two spans are asked for in the same moment, which saves a statement.
    most = [max(_statements(counter, api, PERFORMANCE) for _ in range(3)) for api in (one, wide)]
    assert most == [24, 24]
    answers = wide.data(PERFORMANCE)["me"]["accounts"]["nodes"]
    gains = [p["performance"]["contributions"] for a in answers for p in a["portfolios"]["nodes"]]
    # Interest: 30 entries.
    assert len(gains) == 20
    assert all(gain["instrument"] is None for its in gains for gain in its)
    assert gains[0]


ALLOCATION = """query { me { allocation { ...A } accounts { nodes { allocation(by: PORTFOLIO) { ...A }
    portfolios { nodes { allocation(by: SYMBOL) { ...A } other: allocation(by: CURRENCY) { ...A } } } } } } }
  fragment A on Allocation { slices { label weight drift instrument { name } }
    unavailable { figure positionId } }"""


def test_allocation_at_every_level(counter: Counter, narrow: Api, wide: Api) -> None:
    # Who asks, accounts and portfolios; the parts at each of the three levels, the portfolios' targets, and
    # the instruments of their slices.
    assert [_statements(counter, api, ALLOCATION) for api in (narrow, wide)] == [8, 8]


EXPLAINED = """query { me { accounts(first: 5) { nodes { portfolios(first: 4) { nodes {
    explainRealizedPnl { value sales(first: 5) { totalCount nodes { explainRealizedPnl { value } } } }
    performance { explain { value subPeriods { totalCount nodes { return } } payments { totalCount } } }
    positions(first: 6) { nodes { explainUnrealizedPnl { value lots(first: 5) { totalCount nodes { cost } }
      transactions(first: 5) { totalCount nodes { costDelta } } } } } } } } } } }"""


def test_explanations(counter: Counter, stored: Stored, register: Callable[[], Api]) -> None:
    few = _planted(stored, register(), 1, 1, SYMBOLS[:1], 1)
    many = _planted(stored, register(), 3, 2, SYMBOLS, 3)
    for api in (few, many):
        assert api.user_id is not None
        # A sale in every position.
        stored.rows(
            """INSERT INTO transactions (owner_id, id, account_id, portfolio_id, instrument_id, type,
                   quantity, amount, commission, currency, cash_delta, quantity_delta, realized_pnl,
                   executed_at)
               SELECT s.owner_id, gen_random_uuid(), p.account_id, p.id, s.instrument_id, 'SELL', 1, 1, 0,
                      'USD', 1, -1, 1, now()
               FROM positions s JOIN portfolios p ON p.id = s.portfolio_id WHERE s.owner_id = $1""",
            row_id(api.user_id),
        )
    # Who asks, accounts and portfolios; sums of sales, their page and their count, and what was held before
    # each; a transaction's begin and end, what there is and its days; positions, and their lots and
    # transactions with their counts.
    assert [_statements(counter, api, EXPLAINED) for api in (few, many)] == [16, 16]
    portfolio = many.data(EXPLAINED)["me"]["accounts"]["nodes"][2]["portfolios"]["nodes"][1]
    sales = portfolio["explainRealizedPnl"]["sales"]
    assert (sales["totalCount"], len(sales["nodes"])) == (6, 5)
    assert [sale["explainRealizedPnl"] for sale in sales["nodes"]] == [{"value": "1"}] * 5


def test_aliases_with_other_arguments_cost_one_statement_each(
    counter: Counter, narrow: Api, wide: Api
) -> None:
    with_arguments = "{ me { accounts { nodes { portfolios { nodes { %s } } } } } }"
    one = with_arguments % "a: transactions(first: 3) { nodes { id } }"
    same = (
        with_arguments
        % "a: transactions(first: 3) { nodes { id } } b: transactions(first: 3) { nodes { id } }"
    )
    two = (
        with_arguments
        % "a: transactions(first: 3) { nodes { id } } b: transactions(last: 2) { nodes { id } }"
    )
    for api in (narrow, wide):
        assert [_statements(counter, api, query) for query in (one, same, two)] == [4, 4, 5]


def test_nodes_by_id(counter: Counter, wide: Api) -> None:
    found = wide.data(
        "{ me { accounts { nodes { id portfolios { nodes { id positions { nodes { id } } } } } } } }"
    )
    accounts = found["me"]["accounts"]["nodes"]
    ids = [account["id"] for account in accounts]
    ids += [portfolio["id"] for account in accounts for portfolio in account["portfolios"]["nodes"]]
    ids += [
        position["id"]
        for account in accounts
        for portfolio in account["portfolios"]["nodes"]
        for position in portfolio["positions"]["nodes"]
    ]
    assert len(ids) == 5 + 20 + 120
    query = """query($ids: [ID!]!) { nodes(ids: $ids) {
        id ... on Portfolio { totalValue } ... on Position { weight } } }"""
    assert [node["id"] for node in wide.data(query, ids=ids)["nodes"]] == ids
    # The viewer, three types, and two figures, whatever the number of ids.
    assert _statements(counter, wide, query, ids=ids) == 6
    assert _statements(counter, wide, query, ids=[ids[0], ids[5], ids[25]]) == 6
    assert _statements(counter, wide, "query($id: ID!) { node(id: $id) { id } }", id=ids[0]) == 2
