"""Imports and exports over the API."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from graph.ids import global_id
from investing.trading.importing import MOST_ROWS
from tests.graph.conftest import Api
from tests.graph.doing import archive
from tests.investing.trading.ledgers import HEADER, make_instruments

IMPORT = """mutation($input: ImportTransactionsInput!) { importTransactions(input: $input) {
  written okCount duplicateCount refusedCount
  outcomes { line status transaction { type cashDelta portfolio { id } }
    userError { __typename code field message ... on InsufficientCash { shortfall } } }
  userErrors { __typename field message } } }"""
EXPORT = "query($id: ID!) { exportTransactions(portfolioId: $id) }"
TREE = "query($id: ID!) { node(id: $id) { ... on Portfolio { cashBalance transactions { totalCount } } } }"

DEPOSIT = {"type": "DEPOSIT", "amount": "100.50", "executedAt": "2024-01-01T10:00:00+01:00"}
BUY = {
    "type": "BUY",
    "symbol": "ABC",
    "quantity": "2",
    "price": "10",
    "commission": "1",
    "executedAt": "2024-01-02T00:00:00Z",
    "notes": "first, and best",
}
CSV = (
    HEADER
    + "DEPOSIT,,,,100.5,0,,2024-01-01T09:00:00.000000Z,\n"
    + 'BUY,ABC,2,10,20,1,,2024-01-02T00:00:00.000000Z,"first, and best"\n'
)


@pytest.fixture(scope="module", autouse=True)
def instruments(superuser_url: str) -> None:
    asyncio.run(make_instruments(superuser_url, "USD", "ABC"))


def open_portfolio(api: Api) -> str:
    """An empty portfolio's id."""
    name = uuid.uuid4().hex
    account = api.data(
        "mutation($name: String!) { createAccount(input: {name: $name}) { account { id } } }", name=name
    )["createAccount"]["account"]["id"]
    made = api.data(
        'mutation($account: ID!) { createPortfolio(input: {accountId: $account, name: "P", '
        "strategy: EQUAL_WEIGHT}) { portfolio { id } userErrors { message } } }",
        account=account,
    )["createPortfolio"]
    assert made["userErrors"] == []
    id: str = made["portfolio"]["id"]
    return id


def importing(api: Api, id: str, *rows: dict[str, Any], **options: Any) -> Any:
    """The payload of an import."""
    given = {"portfolioId": id, "rows": rows, "idempotencyKey": str(uuid.uuid4()), **options}
    return api.data(IMPORT, input=given)["importTransactions"]


def test_in_and_out(register: Callable[[], Api]) -> None:
    api = register()
    id = open_portfolio(api)
    assert api.data(EXPORT, id=id) == {"exportTransactions": HEADER}
    key = str(uuid.uuid4())
    # The later row first: they are posted in the order of time.
    first = importing(api, id, BUY, DEPOSIT, idempotencyKey=key)
    assert first == {
        "written": True,
        "okCount": 2,
        "duplicateCount": 0,
        "refusedCount": 0,
        "outcomes": [
            {
                "line": 1,
                "status": "OK",
                "transaction": {"type": "BUY", "cashDelta": "-21", "portfolio": {"id": id}},
                "userError": None,
            },
            {
                "line": 2,
                "status": "OK",
                "transaction": {"type": "DEPOSIT", "cashDelta": "100.5", "portfolio": {"id": id}},
                "userError": None,
            },
        ],
        "userErrors": [],
    }
    assert importing(api, id, BUY, DEPOSIT, idempotencyKey=key) == first
    again = importing(api, id, BUY, DEPOSIT)
    assert (again["written"], again["duplicateCount"], again["userErrors"]) == (False, 2, [])
    assert api.data(TREE, id=id)["node"] == {"cashBalance": "79.5", "transactions": {"totalCount": 2}}
    assert api.data(EXPORT, id=id) == {"exportTransactions": CSV}


UNDO = """mutation($input: ReverseImportInput!) { reverseImport(input: $input) {
  import { id format transactionCount reversedAt portfolio { id } }
  userErrors { __typename code field message
    ... on InsufficientShares { onDate transactionId shortfall } } } }"""
IMPORTS = """query($id: ID!) { me { imports { totalCount nodes { id reversedAt transactionCount } } }
  node(id: $id) { __typename ... on Import { format } } }"""
UNDONE = """query($id: ID!) { node(id: $id) { ... on Portfolio { cashBalance transactions { nodes {
  type importId reverses { importId } } } } } }"""


def test_an_import_is_undone(register: Callable[[], Api]) -> None:
    """Named in the payload, on its transactions and in the list; taken back, and brought in again."""
    api = register()
    id = open_portfolio(api)
    asked = IMPORT.replace("written", "importId import { id format transactionCount reversedAt } written")
    given = {"portfolioId": id, "rows": [BUY, DEPOSIT], "idempotencyKey": str(uuid.uuid4())}
    made = api.data(asked, input=given)["importTransactions"]
    import_id = made["importId"]
    expected = {"id": import_id, "format": "api", "transactionCount": 2, "reversedAt": None}
    assert made["import"] == expected
    # What wrote nothing is no import.
    nothing = api.data(asked, input={**given, "idempotencyKey": str(uuid.uuid4())})["importTransactions"]
    assert (nothing["written"], nothing["importId"], nothing["import"]) == (False, None, None)
    listed = api.data(IMPORTS, id=import_id)
    assert listed["me"]["imports"]["totalCount"] == 1
    assert listed["node"] == {"__typename": "Import", "format": "api"}
    undo = {"importId": import_id, "idempotencyKey": str(uuid.uuid4())}
    for _ in range(2):
        done = api.data(UNDO, input=undo)["reverseImport"]
        assert done["userErrors"] == []
        assert done["import"]["reversedAt"] is not None
        assert done["import"]["portfolio"] == {"id": id}
    tree = api.data(UNDONE, id=id)["node"]
    assert tree["cashBalance"] == "0"
    state = [(row["type"], row["importId"]) for row in tree["transactions"]["nodes"] if not row["reverses"]]
    assert state == [("BUY", import_id), ("DEPOSIT", import_id)]
    reversals = [row for row in tree["transactions"]["nodes"] if row["reverses"]]
    assert [row["importId"] for row in reversals] == [None, None]
    twice = api.data(UNDO, input={**undo, "idempotencyKey": str(uuid.uuid4())})["reverseImport"]
    assert (twice["import"], twice["userErrors"]) == (
        None,
        [
            {
                "__typename": "AlreadyReversed",
                "code": "ALREADY_REVERSED",
                "field": ["input", "importId"],
                "message": "This import has been reversed already.",
            }
        ],
    )
    assert importing(api, id, BUY, DEPOSIT)["okCount"] == 2
    assert api.data(IMPORTS, id=import_id)["me"]["imports"]["totalCount"] == 2


def test_what_needs_an_import_is_named(register: Callable[[], Api]) -> None:
    api = register()
    id = open_portfolio(api)
    shares = {"type": "TRANSFER_IN", "symbol": "ABC", "quantity": "5", "amount": "50"}
    asked = IMPORT.replace("written", "importId written")
    given = {"portfolioId": id, "rows": [{**shares, "executedAt": "2024-01-01T00:00:00Z"}]}
    made = api.data(asked, input={**given, "idempotencyKey": str(uuid.uuid4())})["importTransactions"]
    sold = api.data(
        "mutation($input: RecordTransactionInput!) { recordTransaction(input: $input) { "
        "transaction { id } } }",
        input={
            "portfolioId": id,
            "type": "SELL",
            "symbol": "ABC",
            "quantity": "2",
            "price": "10",
            "executedAt": "2024-02-03T15:00:00Z",
            "idempotencyKey": str(uuid.uuid4()),
        },
    )["recordTransaction"]["transaction"]["id"]
    refused = api.data(UNDO, input={"importId": made["importId"], "idempotencyKey": str(uuid.uuid4())})
    assert refused["reverseImport"] == {
        "import": None,
        "userErrors": [
            {
                "__typename": "InsufficientShares",
                "code": "INSUFFICIENT_SHARES",
                "field": ["input", "importId"],
                "message": "The SELL of 2 ABC on 2024-02-03 needs shares that this import brought; without "
                "it there are only 0. Reverse that transaction first.",
                "onDate": "2024-02-03",
                "transactionId": sold,
                "shortfall": "2",
            }
        ],
    }


def test_all_or_nothing_and_the_facts(register: Callable[[], Api]) -> None:
    api = register()
    id = open_portfolio(api)
    rows = (DEPOSIT, {**BUY, "quantity": "20"}, {**BUY, "symbol": "NOPE"})
    key = str(uuid.uuid4())
    payload = importing(api, id, *rows, idempotencyKey=key)
    assert payload["outcomes"] == [
        {"line": 1, "status": "OK", "transaction": None, "userError": None},
        {
            "line": 2,
            "status": "REFUSED",
            "transaction": None,
            "userError": {
                "__typename": "InsufficientCash",
                "code": "INSUFFICIENT_CASH",
                "field": ["input", "rows", "1", "amount"],
                # Where the account lives, in New York, it is still the evening before.
                "message": "201 is needed on 2024-01-01, 100.5 is available.",
                "shortfall": "100.5",
            },
        },
        {
            "line": 3,
            "status": "REFUSED",
            "transaction": None,
            "userError": {
                "__typename": "UnknownInstrument",
                "code": "UNKNOWN_INSTRUMENT",
                "field": ["input", "rows", "2", "symbol"],
                "message": "There is no instrument NOPE.",
            },
        },
    ]
    assert payload["userErrors"] == [
        {
            "__typename": "InvalidInput",
            "field": ["input", "rows"],
            "message": "2 of 3 rows are refused: nothing was written.",
        }
    ]
    assert importing(api, id, *rows, idempotencyKey=key) == payload
    assert api.data(EXPORT, id=id) == {"exportTransactions": HEADER}
    dry = importing(api, id, *rows, dryRun=True, idempotencyKey=key)
    assert (dry["outcomes"], dry["userErrors"]) == (payload["outcomes"], [])
    skipped = importing(api, id, *rows, skipBad=True)
    assert (skipped["written"], skipped["refusedCount"], skipped["userErrors"]) == (True, 2, [])
    assert api.data(TREE, id=id)["node"]["cashBalance"] == "100.5"
    other = importing(api, id, DEPOSIT, idempotencyKey=key)
    assert [error["__typename"] for error in other["userErrors"]] == ["IdempotencyMismatch"]


def test_too_many_rows(register: Callable[[], Api]) -> None:
    api = register()
    id = open_portfolio(api)
    payload = importing(api, id, *[DEPOSIT] * (MOST_ROWS + 1))
    assert payload["userErrors"][0]["message"].startswith(f"One import has at most {MOST_ROWS} rows")
    assert importing(api, id, *[{**BUY, "notes": "n" * 40}, *[DEPOSIT] * (MOST_ROWS - 1)])["written"]


def test_somebody_elses_portfolio_sounds_like_none(register: Callable[[], Api], nobody: Api) -> None:
    owner, stranger = register(), register()
    id = open_portfolio(owner)
    importing(owner, id, DEPOSIT)
    gone = global_id("Portfolio", uuid.uuid4())
    assert stranger.data(EXPORT, id=id) == {"exportTransactions": None}
    for foreign in (id, gone):
        payload = importing(stranger, foreign, DEPOSIT, DEPOSIT)
        assert [error["__typename"] for error in payload["userErrors"]] == ["NotFound"]
        assert (payload["outcomes"], payload["written"]) == ([], False)
    assert owner.data(TREE, id=id)["node"]["transactions"] == {"totalCount": 1}
    assert nobody.codes(EXPORT, id=id) == ["UNAUTHENTICATED"]
    given = {"portfolioId": id, "rows": [DEPOSIT], "idempotencyKey": str(uuid.uuid4())}
    assert nobody.codes(IMPORT, input=given) == ["UNAUTHENTICATED"]


def test_an_archived_portfolio_takes_nothing_and_gives_everything(register: Callable[[], Api]) -> None:
    api = register()
    id = open_portfolio(api)
    importing(api, id, DEPOSIT, BUY)
    archive(api, id)
    payload = importing(api, id, {**DEPOSIT, "amount": "1"})
    assert [error["__typename"] for error in payload["userErrors"]] == ["PortfolioInactive"]
    assert api.data(EXPORT, id=id) == {"exportTransactions": CSV}
