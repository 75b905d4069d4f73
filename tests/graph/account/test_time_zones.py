"""Time zones over the API: of accounts, of the user, and of the server's settings."""

import datetime as dt
from collections.abc import Callable

import httpx
import pytest
from argon2 import PasswordHasher
from pydantic import ValidationError

from graph.server.main import build_server
from investing.auth.keys import KeyRing
from investing.rules.market.market_days import next_close
from investing.rules.market.market_hours import day_of, end_of_day
from settings import Settings
from tests.graph.conftest import PASSWORD, REGISTER, Api
from tests.graph.doing import mutate, open_account, open_portfolio
from tests.graph.stored import Stored

ACCOUNT = "account { id name timeZone }"
NO_SUCH = {
    "__typename": "InvalidInput",
    "code": "INVALID_INPUT",
    "field": ["input", "timeZone"],
    "message": "There is no such time zone: give its IANA name, such as Europe/Berlin or UTC.",
}


@pytest.fixture(scope="module")
def api(register: Callable[[], Api]) -> Api:
    return register()


def test_an_account_has_a_time_zone(api: Api) -> None:
    plain = mutate(api, "createAccount", ACCOUNT, name="Plain")["account"]
    assert plain["timeZone"] == "America/New_York"
    berlin = mutate(api, "createAccount", ACCOUNT, name="Berlin", timeZone="Europe/Berlin")["account"]
    assert berlin["timeZone"] == "Europe/Berlin"
    refused = mutate(api, "createAccount", ACCOUNT, name="Mars", timeZone="Mars/Olympus")
    assert refused == {"account": None, "userErrors": [NO_SUCH]}
    id = berlin["id"]
    moved = mutate(api, "updateAccount", ACCOUNT, accountId=id, timeZone="Asia/Tokyo")
    assert moved == {"account": {"id": id, "name": "Berlin", "timeZone": "Asia/Tokyo"}, "userErrors": []}
    named = mutate(api, "updateAccount", ACCOUNT, accountId=id, name=" Tokyo ")["account"]
    assert named == {"id": id, "name": "Tokyo", "timeZone": "Asia/Tokyo"}
    assert mutate(api, "updateAccount", ACCOUNT, accountId=id)["account"] == named
    for field in ("timeZone", "name"):
        (error,) = mutate(api, "updateAccount", ACCOUNT, accountId=id, **{field: None})["userErrors"]
        assert error["field"] == ["input", field]
    # Both or neither.
    for given in ({"name": "Other", "timeZone": "EST"}, {"name": "Plain", "timeZone": "UTC"}):
        assert mutate(api, "updateAccount", ACCOUNT, accountId=id, **given)["account"] is None
    listed = api.data("{ me { accounts { nodes { name timeZone } } } }")["me"]["accounts"]["nodes"]
    assert listed == [
        {"name": "Plain", "timeZone": "America/New_York"},
        {"name": "Tokyo", "timeZone": "Asia/Tokyo"},
    ]


def test_a_user_has_one_too(api: Api) -> None:
    me = "user { fullName timeZone }"
    assert api.data("{ me { timeZone } }") == {"me": {"timeZone": "America/New_York"}}
    moved = mutate(api, "updateMe", me, timeZone="Europe/Berlin")
    assert moved == {"user": {"fullName": None, "timeZone": "Europe/Berlin"}, "userErrors": []}
    named = mutate(api, "updateMe", me, fullName=" Ada Lovelace ")["user"]
    assert named == {"fullName": "Ada Lovelace", "timeZone": "Europe/Berlin"}
    refused = mutate(api, "updateMe", me, fullName="Other", timeZone="posix/UTC")
    assert refused == {"user": None, "userErrors": [NO_SUCH]}
    assert mutate(api, "updateMe", me)["user"] == named
    assert mutate(api, "updateMe", me, fullName=None)["user"] == {**named, "fullName": None}
    assert api.codes("{ me { timeZone } }") == []


def test_changing_oneself_is_for_those_who_are_logged_in(nobody: Api) -> None:
    asked = 'mutation { updateMe(input: {timeZone: "UTC"}) { userErrors { code } } }'
    assert nobody.codes(asked) == ["UNAUTHENTICATED"]


def test_a_day_order_ends_with_its_market_or_with_the_accounts_day(api: Api, stored: Stored) -> None:
    """A stock of New York at its next close, whatever the account's zone; a coin at midnight in Tokyo."""
    account = open_account(api, "Orders", timeZone="Asia/Tokyo", initialBalance="100")
    portfolio = open_portfolio(api, account, initialCash="100")
    stored.instrument("STOCK")
    stored.instrument("COIN")
    stored.rows("UPDATE instruments SET exchange = 'Nasdaq' WHERE symbol = 'STOCK'")
    stored.rows("UPDATE instruments SET exchange = NULL, asset_class = 'CRYPTO' WHERE symbol = 'COIN'")

    def placed(symbol: str) -> tuple[dt.datetime, dt.datetime]:
        order = "order { submittedAt expiresAt }"
        given = {"portfolioId": portfolio, "symbol": symbol, "side": "BUY", "type": "LIMIT", "quantity": "1"}
        key = {"idempotencyKey": f"00000000-0000-4000-8000-{sum(map(ord, symbol)):012}"}
        found = mutate(api, "placeOrder", order, limitPrice="1", **given, **key)["order"]
        at, end = (dt.datetime.fromisoformat(found[name]) for name in ("submittedAt", "expiresAt"))
        return at, end

    at, end = placed("STOCK")
    assert end == next_close(at)
    at, end = placed("COIN")
    assert end == end_of_day(day_of(at, "Asia/Tokyo"), "Asia/Tokyo")
    assert (end.hour, end.minute, end.second) == (15, 0, 0)


async def test_the_default_is_a_setting(app_url: str, ring: KeyRing) -> None:
    settings = Settings(
        _env_file=None, worker=False, send_notifications=False, login_attempts=0, time_zone="Asia/Tokyo"
    )
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    app = build_server(settings, app_url, ring, hasher=hasher)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        given = {"username": "tokyo", "email": "tokyo@example.org", "password": PASSWORD}
        sent = {"query": REGISTER, "variables": {"input": given}}
        token = (await client.post("/graphql", json=sent)).json()["data"]["register"]["accessToken"]
        asked = 'mutation { createAccount(input: {name: "A"}) { account { timeZone owner { timeZone } } } }'
        headers = {"authorization": f"Bearer {token}"}
        answer = (await client.post("/graphql", json={"query": asked}, headers=headers)).json()
    zones = {"timeZone": "Asia/Tokyo", "owner": {"timeZone": "Asia/Tokyo"}}
    assert answer["data"] == {"createAccount": {"account": zones}}


def test_a_setting_that_is_none() -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings(_env_file=None, time_zone="Europe/Atlantis")
    (problem,) = wrong.value.errors()
    assert Settings.settings_names()[str(problem["loc"][0])] == "GRAPHFOLIO_TIME_ZONE"
    assert problem["msg"] == NO_SUCH["message"]
