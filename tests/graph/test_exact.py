"""What goes in comes out: decimals and instants through GraphQL, the database and back, text for text."""

import datetime as dt
import random
from collections.abc import Callable

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import key, open_account, open_portfolio, recorded

AT_A_TIME = 20


def canonical(text: str) -> str:
    """A decimal's text without what says nothing, worked out on characters alone."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = digits.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return number if number == "0" else sign + number


def decimals(number: int) -> list[str]:
    """Texts up to 25 digits, above zero, some with zeros that say nothing."""
    source = random.Random("decimals")
    found = ["0.0000000001", "1.0", "1.10", "000000000000000001.5", "999999999999999.9999999999"]
    while len(found) < number:
        whole = "".join(source.choices("0123456789", k=source.randint(1, 15)))
        fraction = "".join(source.choices("0000123456789", k=source.randint(0, 10)))
        if (whole + fraction).strip("0"):
            found.append(f"{whole}.{fraction}" if fraction else whole)
    return found


def instants(number: int) -> list[tuple[str, str]]:
    """Texts in many offsets and precisions, and the canonical text of each."""
    source = random.Random("instants")
    found = []
    for _ in range(number):
        microseconds = source.randrange(0, 63_000_000_000_000_000)
        moment = dt.datetime(1, 1, 3, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
        offset = dt.timezone(dt.timedelta(minutes=source.randint(-1439, 1439)))
        text = moment.astimezone(offset).isoformat(timespec="microseconds")
        found.append((text, moment.isoformat(timespec="microseconds").replace("+00:00", "Z")))
    return found


@pytest.fixture(scope="module")
def api(register: Callable[[], Api]) -> Api:
    return register()


FIELD = """a%d: recordTransaction(input: {portfolioId: "%s", type: %s, amount: "%s", commission: "%s",
    executedAt: "2024-01-01T00:00:00Z", notes: "%s", idempotencyKey: "%s"}) {
    transaction { id amount commission notes } userErrors { message } }"""
READ = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Transaction { id amount commission notes } } }"


def round_trip(api: Api, texts: list[str]) -> None:
    """Sends decimals, two to an entry, and reads each back from the answer and by its id."""
    # On margin, so that there is always cash, and every other one comes in, so that it stays small; some in
    # one portfolio only, because 30,000 such commissions are more than the ledger can hold.
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    for start in range(0, len(pairs), AT_A_TIME):
        if start % 1_000 == 0:
            name = f"Margin for {len(texts)} from {start}"
            portfolio_id = open_portfolio(api, open_account(api, name, accountType="MARGIN"))
        _send(api, portfolio_id, pairs[start : start + AT_A_TIME])


def _send(api: Api, portfolio_id: str, pairs: list[tuple[str, str]]) -> None:
    fields = [
        FIELD % (place, portfolio_id, "FEE" if place % 2 else "INTEREST", *pair, " ".join(pair), key())
        for place, pair in enumerate(pairs)
    ]
    answers = api.data("mutation { " + " ".join(fields) + " }")
    made = []
    for place, pair in enumerate(pairs):
        assert answers[f"a{place}"]["userErrors"] == [], pair
        made.append(answers[f"a{place}"]["transaction"])
        assert (made[-1]["amount"], made[-1]["commission"]) == tuple(map(canonical, pair))
        assert made[-1]["notes"] == " ".join(pair)
    assert api.data(READ, ids=[entry["id"] for entry in made])["nodes"] == made


def test_instants(api: Api) -> None:
    portfolio_id = open_portfolio(api, open_account(api, "Instants"))
    for text, shown in instants(100):
        made = recorded(api, portfolio_id, "INTEREST", text, amount="1")
        assert made["executedAt"] == shown
    query = """query($id: ID!) { node(id: $id) { ... on Portfolio {
        transactions(last: 200) { nodes { executedAt } } } } }"""
    found = api.data(query, id=portfolio_id)["node"]["transactions"]["nodes"]
    assert [node["executedAt"] for node in found] == sorted(
        (shown for _, shown in instants(100)), reverse=True
    )


def test_two_thousand(api: Api) -> None:
    round_trip(api, decimals(2_000))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_thousand(api: Api) -> None:
    round_trip(api, decimals(100_000))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("1.50", "1.5"),
        ("0010", "10"),
        ("0.0000000001", "0.0000000001"),
        ("100", "100"),
        ("-0", "0"),
        ("0.0", "0"),
    ],
)
def test_canonical_text(api: Api, given: str, shown: str) -> None:
    query = """mutation($name: String!, $balance: Decimal!) {
        createAccount(input: {name: $name, initialBalance: $balance}) {
            account { initialBalance cashBalance totalValue } } }"""
    made = api.data(query, name=f"Of {given}", balance=given)["createAccount"]["account"]
    assert made == {"initialBalance": shown, "cashBalance": shown, "totalValue": shown}
