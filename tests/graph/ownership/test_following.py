"""Nobody follows another's data: every subscription, by everyone who should not, and by every id."""

import json
from typing import Any

import httpx
import pytest
from graphql import GraphQLField, get_named_type, is_composite_type

from tests.graph.ownership.conftest import World
from tests.graph.ownership.documents import fields_of, holds
from tests.graph.ownership.people import Person
from tests.graph.ownership.shape import CURSORS, is_id, owned_type_of, valid

STREAMS = sorted(fields_of("Subscription"))
BY_ID = [
    (name, argument)
    for name in STREAMS
    for argument, definition in fields_of("Subscription")[name].args.items()
    if is_id(argument, definition)
]


def _document(name: str, given: dict[str, Any]) -> str:
    field: GraphQLField = fields_of("Subscription")[name]
    kind = get_named_type(field.type)
    inner = f"{{ {holds(kind.name, 2)} }}" if is_composite_type(kind) else ""
    declared = ", ".join(f"${n}: {field.args[n].type}" for n in given)
    passed = ", ".join(f"{n}: ${n}" for n in given)
    return (
        f"subscription{f'({declared})' if given else ''} {{ {name}{f'({passed})' if given else ''} {inner} }}"
    )


def _arguments(name: str, ids: dict[str, str]) -> dict[str, Any]:
    field = fields_of("Subscription")[name]
    return valid(name, {n: a for n, a in field.args.items() if n not in CURSORS}, ids)


def _follow(world: World, token: str | None, name: str, given: dict[str, Any], wait: float = 20) -> str:
    """All that a stream says until it ends, or until it has said nothing for so long."""
    headers = {"accept": "text/event-stream"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = {"query": _document(name, given), "variables": given}
    said = ""
    url = f"{world.stranger.caller._client.base_url}/graphql"
    with (
        httpx.Client(timeout=wait, trust_env=False) as client,
        client.stream("POST", url, json=body, headers=headers) as answer,
    ):
        try:
            for text in answer.iter_text():
                said += text
        except httpx.ReadTimeout:
            pass
    return said


def _codes(said: str) -> list[str]:
    payloads = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: {")]
    return [error["extensions"]["code"] for payload in payloads for error in payload.get("errors", [])]


@pytest.mark.parametrize("name", STREAMS)
def test_who_may_not_come_in_follows_nothing(world: World, name: str) -> None:
    given = _arguments(name, world.gone.ids)
    for token in world.outsiders.values():
        said = _follow(world, token, name, given)
        assert _codes(said) == ["UNAUTHENTICATED"]
        assert said.endswith("event: complete\r\ndata: \r\n\r\n")


@pytest.mark.parametrize(("name", "argument"), BY_ID)
def test_a_foreign_id_is_like_none(world: World, name: str, argument: str) -> None:
    type_name = owned_type_of(name, argument)

    def said(person: Person, id: str, wait: float = 20) -> str:
        given = {**_arguments(name, person.ids), argument: id}
        return _follow(world, person.token, name, given, wait)

    foreign, missing = world.holder.ids[type_name], world.holder.missing(type_name)
    with world.unchanged():
        answer = said(world.stranger, foreign)
        assert answer == said(world.stranger, missing)
        assert _codes(answer) == ["BAD_USER_INPUT"]
        assert answer.endswith("event: complete\r\ndata: \r\n\r\n")
        # The same document is open to its owner: the stranger is not refused for nothing.
        own = said(world.holder, foreign, 1)
        assert _codes(own) == []
        # A rebalance that has ended has nothing more to tell.
        assert ("complete" in own) == (name == "rebalanceProgress")


def test_the_holders_alerts_are_the_holders(world: World) -> None:
    """From the first alert on, each sees their own, and all of it."""
    start = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
    for person, other in ((world.holder, world.stranger), (world.stranger, world.holder)):
        said = _follow(world, person.token, "alerts", {"after": start}, 1)
        assert said.count("event: next") == 1
        assert person.canary in said
        assert other.canary not in said
        assert other.ids["Alert"] not in said
