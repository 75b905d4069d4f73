"""Notifications through the API of a whole server that sends, and what of their secrets can be seen."""

import json
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher

from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity
from graph.ids import parse_global_id
from graph.server.main import build_server
from investing.alerts.raising import NewAlert, raise_alerts
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from settings import Settings
from tests.faults.waiting import until
from tests.graph.conftest import PASSWORD, REGISTER
from tests.investing.notifications.receivers import HttpReceiver, MailServer, http_receiver, mail_server
from tests.waiting import PATIENCE

CREATE = """mutation($input: CreateNotificationDestinationInput!) {
  createNotificationDestination(input: $input) {
    notificationDestination { id name kind hint confirmedAt isActive consecutiveFailures }
    signingSecret userErrors { __typename code field message ... on LimitReached { limit } } } }"""
CONFIRM = """mutation($id: ID!, $code: String!) {
  confirmNotificationDestination(input: { notificationDestinationId: $id, code: $code }) {
    notificationDestination { confirmedAt }
    userErrors { __typename field ... on WrongCode { attemptsLeft } } } }"""
ROTATE = """mutation($id: ID!) { rotateWebhookSecret(input: { notificationDestinationId: $id }) {
    signingSecret userErrors { code } } }"""
DELETE = """mutation($id: ID!) {
  deleteNotificationDestination(input: { notificationDestinationId: $id }) {
    deletedId userErrors { code } } }"""
RETRY = """mutation($id: ID!) { retryDelivery(input: { deliveryId: $id }) { delivery { status attempts }
    userErrors { code ... on DeliveryNotDead { deliveryStatus } } } }"""
RULE = """mutation($input: CreateAlertRuleInput!) { createAlertRule(input: $input) { alertRule { channels }
    userErrors { __typename field ... on UnknownDestination { name } } } }"""
EVERYTHING = """{ me { notificationDestinations { totalCount nodes { id name kind hint confirmedAt isActive
      consecutiveFailures lastSentAt createdAt } }
    alertRules { nodes { channels } }
    auditLog { nodes { action details } }
    alerts { nodes { id title deliveries { totalCount nodes { id channel status attempts
      nextAttemptAt lastError sentAt isDigested createdAt } } } } } }"""


@dataclass
class User:
    """Somebody who is logged in; everything that was answered is kept."""

    client: httpx.AsyncClient
    token: str
    id: Any
    answers: list[str]

    async def ask(self, query: str, **variables: Any) -> Any:
        """The answer's data."""
        body = {"query": query, "variables": variables}
        answer = await self.client.post(
            "/graphql", json=body, headers={"authorization": f"Bearer {self.token}"}
        )
        self.answers.append(answer.text)
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    async def do(self, query: str, **variables: Any) -> Any:
        """The payload of a mutation."""
        (payload,) = (await self.ask(query, **variables)).values()
        return payload


@pytest.fixture(scope="module")
async def mails() -> AsyncIterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="module")
async def client(app_url: str, mails: MailServer) -> AsyncIterator[httpx.AsyncClient]:
    """A server that sends, on this event loop."""
    settings = Settings(
        _env_file=None,
        login_attempts=0,
        allow_private_destinations=True,
        smtp_host="127.0.0.1",
        smtp_port=mails.port,
        smtp_security="none",
    )
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    app = build_server(
        settings, app_url, KeyRing.generate(), secret_box=SecretBox(KeyRing.generate), hasher=hasher
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60)
        )


@pytest.fixture
async def holder(client: httpx.AsyncClient) -> User:
    name = f"user-{secrets.token_hex(4)}"
    given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    answer = await client.post("/graphql", json={"query": REGISTER, "variables": {"input": given}})
    login = answer.json()["data"]["register"]
    return User(client, login["accessToken"], parse_global_id(login["user"]["id"])[1], [])


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as running:
        yield running


async def raised(sessions: Sessions, user: User, *channels: str) -> None:
    """An alert of the user's."""
    new = NewAlert(
        AlertKind.DRIFT, AlertSeverity.INFO, "Drift", "It drifts.", {"drift": "0.1"}, channels=channels
    )
    async with sessions.begin(user.id) as session:
        await raise_alerts(session, user.id, [new])


async def confirmed(user: User, receiver: HttpReceiver, name: str = "hook", path: str = "") -> str:
    """A webhook that its user has confirmed: its id."""
    before = len(receiver.requests)
    given = {"name": name, "kind": "WEBHOOK", "address": f"{receiver.url}{path}"}
    made = await user.do(CREATE, input=given)
    await receiver.until(lambda: len(receiver.requests) > before)
    code = receiver.requests[-1].json["data"]["code"]
    id: str = made["notificationDestination"]["id"]
    payload = await user.do(CONFIRM, id=id, code=code)
    assert payload["userErrors"] == []
    assert payload["notificationDestination"]["confirmedAt"] is not None
    return id


async def deliveries(user: User) -> list[Any]:
    """The deliveries of the newest alert."""
    alerts = (await user.ask(EVERYTHING))["me"]["alerts"]["nodes"]
    return list(alerts[0]["deliveries"]["nodes"])


async def test_the_way_of_an_alert(holder: User, receiver: HttpReceiver, sessions: Sessions) -> None:
    given = {"name": "hook", "kind": "WEBHOOK", "address": receiver.url}
    made = await holder.do(CREATE, input=given)
    id = made["notificationDestination"].pop("id")
    assert made["notificationDestination"] == {
        "name": "hook",
        "kind": "WEBHOOK",
        "hint": "127.0.0.1",
        "confirmedAt": None,
        "isActive": True,
        "consecutiveFailures": 0,
    }
    assert made["signingSecret"].startswith("whsec_")
    wrong = await holder.do(CONFIRM, id=id, code="WRONG")
    assert wrong["userErrors"] == [{"__typename": "WrongCode", "field": ["input", "code"], "attemptsLeft": 4}]
    await receiver.until(lambda: bool(receiver.requests))
    right = receiver.requests[0].json["data"]["code"]
    assert (await holder.do(CONFIRM, id=id, code=right))["userErrors"] == []
    await raised(sessions, holder, "hook")
    await receiver.until(lambda: bool(receiver.alerts()))

    async def sent() -> bool:
        return bool((await deliveries(holder))[0]["status"] == "SENT")

    await until(sent, PATIENCE)
    (delivery,) = await deliveries(holder)
    assert (delivery["channel"], delivery["attempts"], delivery["lastError"]) == ("hook", 1, None)
    # What the receiver gets leads back to the alert.
    told = receiver.alerts()[0].json["data"]["id"]
    found = await holder.ask("query($id: ID!) { node(id: $id) { ... on Alert { title } } }", id=told)
    assert found["node"]["title"] == "Drift"
    assert parse_global_id(delivery["id"])[1].hex == receiver.alerts()[0].id.replace("-", "")
    assert (await holder.do(RETRY, id=delivery["id"]))["userErrors"] == [
        {"code": "DELIVERY_NOT_DEAD", "deliveryStatus": "SENT"}
    ]


async def test_channels_are_ones_own_destinations(holder: User, receiver: HttpReceiver) -> None:
    rule = {"name": "low", "kind": "CASH_BELOW", "threshold": "1", "channels": ["hook"]}
    refused = await holder.do(RULE, input=rule)
    assert refused["userErrors"] == [
        {"__typename": "UnknownDestination", "field": ["input", "channels"], "name": "hook"}
    ]
    id = await confirmed(holder, receiver)
    assert (await holder.do(RULE, input=rule))["alertRule"] == {"channels": ["hook"]}
    assert (await holder.do(DELETE, id=id)) == {"deletedId": id, "userErrors": []}
    found = await holder.ask("{ me { alertRules { nodes { channels } } } }")
    assert found["me"]["alertRules"]["nodes"] == [{"channels": []}]


async def test_what_is_refused(holder: User, receiver: HttpReceiver) -> None:
    for given, kind in (
        ({"kind": "EMAIL", "address": "nobody"}, "InvalidInput"),
        ({"kind": "APPRISE", "address": "json://localhost/"}, "AddressRefused"),
        ({"kind": "APPRISE", "address": "slack://a/b/c?template=/etc/passwd"}, "AddressRefused"),
    ):
        payload = await holder.do(CREATE, input={"name": "x", **given})
        (error,) = payload["userErrors"]
        assert (error["__typename"], error["field"]) == (kind, ["input", "address"])
        assert payload["notificationDestination"] is None
        assert payload["signingSecret"] is None


async def test_a_secret_is_seen_nowhere(
    holder: User,
    receiver: HttpReceiver,
    mails: MailServer,
    sessions: Sessions,
    superuser_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 22: no log, no error, no answer and no column shows an address, a code or a signing secret."""
    caplog.set_level(logging.DEBUG)
    canary = f"canary{secrets.token_hex(6)}"
    hook = await confirmed(holder, receiver, path=f"/{canary}")
    receiver.answers = ["500 Oops"]
    codes = [receiver.requests[0].json["data"]["code"]]
    given = {
        "mail": ("EMAIL", f"{canary}@example.org"),
        "phone": ("APPRISE", f"mmost://127.0.0.1:9/{canary}abcdef"),
        "away": ("WEBHOOK", f"http://{canary}.invalid/{canary}"),
    }
    for name, (kind, address) in given.items():
        made = await holder.do(CREATE, input={"name": name, "kind": kind, "address": address})
        assert made["userErrors"] == []
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(
        "UPDATE notification_destinations SET confirmed_at = now() WHERE owner_id = $1", holder.id
    )
    await raised(sessions, holder, "hook", *given)

    async def tried() -> bool:
        return all(d["attempts"] > 0 for d in await deliveries(holder))

    await until(tried, 90)

    async def mailed() -> bool:
        return sum(canary in str(mail["To"]) for mail in mails.mails) == 2

    await until(mailed, 90)
    secret = (await holder.do(ROTATE, id=hook))["signingSecret"]
    holder.answers.pop()
    for name, (kind, address) in given.items():
        # Taken already, or nonsense: errors tell no more.
        await holder.do(CREATE, input={"name": name, "kind": kind, "address": address})
    errors = [d["lastError"] for d in await deliveries(holder) if d["lastError"]]
    assert len(errors) == 3
    # In hint of `away` is the name of its host, which is meant to be shown.
    seen = json.dumps(await holder.ask(EVERYTHING)).replace(f"{canary}.invalid", "")
    answers = "".join(holder.answers).replace(f"{canary}.invalid", "")
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    stored = ""
    for (table,) in tables:
        rows = await connection.fetch(f"SELECT t::text AS row FROM {table} t")
        stored += "".join(row["row"] for row in rows)
    await connection.close()
    stored = stored.replace(f"{canary}.invalid", "")
    hidden = [canary, canary.encode().hex(), secret, *codes]
    # But for what the mail server of the test prints of its own.
    logged = "\n".join(r.getMessage() + (r.exc_text or "") for r in caplog.records if r.name != "mail.log")
    assert "HTTP Request" in logged
    assert "notificationDestination.created" in stored
    for where in (seen, answers, stored, logged):
        assert [word for word in hidden if word in where] == []
