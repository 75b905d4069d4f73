"""A broker's credentials: stored, replaced, deleted, and never seen again."""

import json
import logging
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from db.ids import uuid7
from graph.ids import global_id, parse_global_id
from investing.auth.api_keys import BrokerCredentials
from investing.auth.encryption import DecryptionFailed, EncryptedSecret, SecretBox, SecretLocation
from tests.graph.conftest import Api
from tests.graph.stored import Stored

KEY = "id broker label keyHint account { id } createdAt lastUsedAt"
STORE = f"""mutation($input: StoreApiKeyInput!) {{ storeApiKey(input: $input) {{
  apiKey {{ {KEY} }} userErrors {{ __typename code field message ... on LimitReached {{ limit }} }} }} }}"""
INLINE = """mutation { storeApiKey(input: { broker: ALPACA, label: "A", apiKey: "K", apiSecret: SECRET }) {
  userErrors { code } } }"""
DELETE = """mutation($id: ID!) { deleteApiKey(input: { apiKeyId: $id }) {
  deletedId userErrors { code field } } }"""
KEYS = f"{{ me {{ apiKeys {{ totalCount nodes {{ {KEY} }} }} auditLog {{ nodes {{ action details }} }} }} }}"
ACCOUNT = """mutation($input: CreateAccountInput!) { createAccount(input: $input) {
  account { id } userErrors { message } } }"""
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----"


@pytest.fixture
def holder(register: Callable[[], Api]) -> Api:
    return register()


def keyed(**changes: Any) -> dict[str, Any]:
    """A valid input."""
    given = {"broker": "ALPACA", "label": "Main", "apiKey": "PKABCDEFGHIJKLMN1234", "apiSecret": "hush"}
    return {**given, **changes}


def account(of: Api, broker: str) -> str:
    """A new account at the broker."""
    given = {"name": f"At {broker}", "broker": broker}
    made = of.data(ACCOUNT, input=given)["createAccount"]
    assert made["userErrors"] == []
    return str(made["account"]["id"])


def sealed(stored: Stored, id: str) -> tuple[SecretLocation, EncryptedSecret]:
    """A key's secret as it is stored, and the row that it belongs to."""
    query = "SELECT owner_id, id, ciphertext, encryption_key_id FROM api_keys WHERE id = $1"
    ((owner_id, row_id, ciphertext, key_id),) = stored.rows(query, parse_global_id(id)[1])
    return SecretLocation("api_keys", owner_id, row_id), EncryptedSecret(bytes(ciphertext), key_id)


def opened(secret_box: SecretBox, stored: Stored, id: str) -> BrokerCredentials:
    """Return the credentials that a broker would be called with."""
    place, secret = sealed(stored, id)
    return BrokerCredentials.opened(secret_box, place.owner_id, place.id, secret)


def test_what_is_stored_can_be_used_and_is_not_shown(
    holder: Api, stored: Stored, secret_box: SecretBox
) -> None:
    at = account(holder, "ALPACA")
    made = holder.data(STORE, input=keyed(label=" Main ", apiSecret=f"\n{PEM}\n", accountId=at))
    assert made["storeApiKey"]["userErrors"] == []
    found = made["storeApiKey"]["apiKey"]
    assert opened(secret_box, stored, found["id"]) == BrokerCredentials("PKABCDEFGHIJKLMN1234", PEM)
    assert {**found, "id": None, "createdAt": None} == {
        "id": None,
        "broker": "ALPACA",
        "label": "Main",
        "keyHint": "…1234",
        "account": {"id": at},
        "createdAt": None,
        "lastUsedAt": None,
    }
    me = holder.data(KEYS)["me"]
    assert me["apiKeys"] == {"totalCount": 1, "nodes": [found]}
    assert me["auditLog"]["nodes"][0] == {
        "action": "apiKey.stored",
        "details": {"broker": "ALPACA", "label": "Main", "hint": "…1234"},
    }
    node = holder.data(f"query($id: ID!) {{ node(id: $id) {{ ... on ApiKey {{ {KEY} }} }} }}", id=found["id"])
    assert node["node"] == found


def test_the_same_label_replaces(holder: Api, stored: Stored, secret_box: SecretBox) -> None:
    at = account(holder, "ALPACA")
    first = holder.data(STORE, input=keyed(accountId=at))["storeApiKey"]["apiKey"]
    stored.rows("UPDATE api_keys SET last_used_at = now() WHERE id = $1", parse_global_id(first["id"])[1])
    second = holder.data(STORE, input=keyed(apiKey="K" * 19, apiSecret="other"))["storeApiKey"]["apiKey"]
    assert second["id"] == first["id"]
    assert second["createdAt"] > first["createdAt"]
    assert (second["keyHint"], second["account"], second["lastUsedAt"]) == ("…KKKK", None, None)
    assert opened(secret_box, stored, first["id"]) == BrokerCredentials("K" * 19, "other")
    # At another broker the label is free.
    holder.data(STORE, input=keyed(broker="INTERACTIVE_BROKERS", apiKey="short"))
    me = holder.data(KEYS)["me"]
    assert [(node["broker"], node["keyHint"]) for node in me["apiKeys"]["nodes"]] == [
        ("ALPACA", "…KKKK"),
        ("INTERACTIVE_BROKERS", "…t"),
    ]
    actions = [entry["action"] for entry in me["auditLog"]["nodes"]]
    assert actions[:3] == ["apiKey.stored", "apiKey.replaced", "apiKey.stored"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"label": "  "}, "label", "A label has 1 to 100 characters."),
        ({"label": "x" * 101}, "label", "A label has 1 to 100 characters."),
        ({"label": "a\u202eb"}, "label", "A label has no control characters."),
        ({"apiKey": " "}, "apiKey", "An API key has 1 to 200 characters."),
        ({"apiKey": "x" * 201}, "apiKey", "An API key has 1 to 200 characters."),
        ({"apiKey": "two words"}, "apiKey", "An API key has letters, digits and punctuation only."),
        ({"apiKey": "two\nlines"}, "apiKey", "An API key has letters, digits and punctuation only."),
        ({"apiKey": "schlüssel"}, "apiKey", "An API key has letters, digits and punctuation only."),
        ({"apiSecret": None}, "apiSecret", "Alpaca's keys have a secret: give it as well."),
        ({"apiSecret": "\n"}, "apiSecret", "A secret has 1 to 8,000 characters."),
        ({"apiSecret": "x" * 8_001}, "apiSecret", "A secret has 1 to 8,000 characters."),
        ({"apiSecret": "a\x07b"}, "apiSecret", "A secret has letters, digits, punctuation and lines only."),
        ({"apiSecret": "a\x0bb"}, "apiSecret", "A secret has letters, digits, punctuation and lines only."),
        ({"apiSecret": "“quoted”"}, "apiSecret", "A secret has letters, digits, punctuation and lines only."),
    ],
)
def test_what_is_wrong_is_said(holder: Api, changes: dict[str, Any], field: str, message: str) -> None:
    made = holder.data(STORE, input=keyed(**changes))["storeApiKey"]
    error = {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "field": ["input", field],
        "message": message,
    }
    assert made == {"apiKey": None, "userErrors": [error]}
    assert holder.data(KEYS)["me"]["apiKeys"]["totalCount"] == 0


def test_a_key_without_a_secret(holder: Api, secret_box: SecretBox, stored: Stored) -> None:
    given = {"broker": "INTERACTIVE_BROKERS", "label": "Token", "apiKey": "123456789012"}
    made = holder.data(STORE, input=given)["storeApiKey"]
    assert made["userErrors"] == []
    assert opened(secret_box, stored, made["apiKey"]["id"]) == BrokerCredentials("123456789012", None)


def test_the_account_is_ones_own_and_at_the_broker(holder: Api, register: Callable[[], Api]) -> None:
    other = account(register(), "ALPACA")
    nowhere = global_id("Account", uuid7())
    paper = account(holder, "PAPER")
    found = [holder.data(STORE, input=keyed(accountId=id))["storeApiKey"] for id in (other, nowhere, paper)]
    assert [made["apiKey"] for made in found] == [None] * 3
    (hidden,), (missing,), (wrong,) = (made["userErrors"] for made in found)
    assert hidden == missing
    assert (missing["code"], missing["field"]) == ("NOT_FOUND", ["input", "accountId"])
    assert (wrong["field"], wrong["message"]) == (
        ["input", "accountId"],
        "The account is at another broker: PAPER.",
    )


def test_deleting(holder: Api, register: Callable[[], Api], stored: Stored) -> None:
    id = holder.data(STORE, input=keyed())["storeApiKey"]["apiKey"]["id"]
    refused = {"deletedId": None, "userErrors": [{"code": "NOT_FOUND", "field": ["input", "apiKeyId"]}]}
    assert register().data(DELETE, id=id)["deleteApiKey"] == refused
    assert holder.data(DELETE, id=id)["deleteApiKey"] == {"deletedId": id, "userErrors": []}
    assert holder.data(DELETE, id=id)["deleteApiKey"] == refused
    assert stored.rows("SELECT FROM api_keys WHERE id = $1", parse_global_id(id)[1]) == []
    assert holder.data(KEYS)["me"]["auditLog"]["nodes"][0] == {
        "action": "apiKey.deleted",
        "details": {"broker": "ALPACA", "label": "Main", "hint": "…1234"},
    }


def test_there_are_so_many_and_no_more(holder: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("investing.auth.api_keys.MOST_API_KEYS", 2)
    for label in ("One", "Two"):
        assert holder.data(STORE, input=keyed(label=label))["storeApiKey"]["userErrors"] == []
    (error,) = holder.data(STORE, input=keyed(label="Three"))["storeApiKey"]["userErrors"]
    assert (error["__typename"], error["limit"]) == ("LimitReached", 2)
    # What is there already can be replaced.
    assert holder.data(STORE, input=keyed(label="Two"))["storeApiKey"]["userErrors"] == []


def test_the_secret_of_one_row_opens_in_no_other(holder: Api, stored: Stored, secret_box: SecretBox) -> None:
    ids = []
    for label in ("One", "Two"):
        ids.append(holder.data(STORE, input=keyed(label=label))["storeApiKey"]["apiKey"]["id"])
    (here, _), (_, there) = (sealed(stored, id) for id in ids)
    with pytest.raises(DecryptionFailed):
        BrokerCredentials.opened(secret_box, here.owner_id, here.id, there)


def test_a_secret_is_seen_nowhere(holder: Api, stored: Stored, caplog: pytest.LogCaptureFixture) -> None:
    """Promise 22: not in a log, an error, an answer or a column, whatever was wrong with the request."""
    caplog.set_level(logging.DEBUG)
    canary = f"canary{secrets.token_hex(6)}"
    taken = [
        holder.post(STORE, input=keyed(apiSecret=canary, apiKey=f"{canary}PK0123456789")),
        holder.post(STORE, input=keyed(apiSecret=canary, apiKey=f"{canary} and more")),
        holder.post(STORE, input=keyed(apiSecret=f"{canary}\x07", label="x" * 200)),
        holder.post(STORE, input=keyed(apiSecret=canary, broker="NOBODY")),
        holder.post(STORE, input=keyed(apiSecret=[canary])),
        holder.post(STORE, input=keyed(apiSecret=canary, more=1)),
        holder.post(STORE, input={"broker": "ALPACA", "apiSecret": canary}),
        holder.post(STORE, input=[canary]),
        holder.post(INLINE.replace("SECRET", f'["{canary}"]')),
        holder.post(INLINE.replace("SECRET", f'"{canary}", more: 1')),
        holder.post(INLINE.replace("SECRET", canary)),
        holder.post(INLINE.replace(": SECRET", f' "{canary}"')),
        holder.post(INLINE.replace(": SECRET", f' """{canary}"""')),
        holder.post(KEYS),
    ]
    assert taken[0]["data"]["storeApiKey"]["apiKey"]["keyHint"] == "…6789"
    tables = [
        table for (table,) in stored.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    rows = "".join(row for table in tables for (row,) in stored.rows(f"SELECT t::text FROM {table} t"))
    assert "…6789" in rows
    said = [answer["errors"][0]["message"] for answer in taken if "errors" in answer]
    wrong = "Expected value of type 'StoreApiKeyInput'"
    assert [message.removeprefix("Variable '$input' has invalid value") for message in said] == [
        " at .broker: Value 'NOBODY' does not exist in 'Broker' enum.",
        " at .apiSecret: String cannot represent a non string value.",
        f": {wrong} not to include unknown field 'more'.",
        f": {wrong} to include required field 'label'.",
        f": {wrong} to be an object.",
        "String cannot represent a non string value.",
        f"{wrong} not to include unknown field 'more'.",
        "String cannot represent a non string value.",
        "Syntax Error: Expected ':', found String.",
        "Syntax Error: Expected ':', found BlockString.",
    ]
    logged = "\n".join(record.getMessage() + (record.exc_text or "") for record in caplog.records)
    for where in (json.dumps(taken), rows, logged):
        assert [word for word in (canary, canary.encode().hex()) if word in where] == []
