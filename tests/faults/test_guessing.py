"""Promise 19: a password cannot be guessed, however many ask however many processes at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.faults.servers import Fleet, fleet
from tests.faults.waiting import sizes
from tests.faults.wire import Wire
from tests.faults.world import PASSWORD, World

ALIASES = 20
_LOGIN = """mutation($username: String!, $password: String!) {
  login(input: { username: $username, password: $password }) { user { id } userErrors { code } } }"""
_CHECKED = "SELECT count(*) FROM audit_log WHERE owner_id = $1 AND action = 'user.login_failed'"


@pytest.fixture
async def guarded(world: World) -> AsyncIterator[Fleet]:
    """Three servers that count attempts, as they come."""
    async with fleet(world.cluster, *[world.cluster.port] * 3, login_attempts=10, pool_size=5) as found:
        yield found


async def asked(port: int, query: str, **variables: Any) -> Any:
    wire = Wire()
    try:
        return await wire.post(port, {"query": query, "variables": variables}, None)
    finally:
        wire.close()


@sizes(200, 1_000)
async def test_a_password_cannot_be_guessed(
    world: World, guarded: Fleet, rng: random.Random, size: int
) -> None:
    """So many guesses, twenty in one document and all documents at once: ten for each name are looked at."""
    victim, other = await world.person("10", portfolios=0), await world.person("10", portfolios=0)
    names = {place.user_id: await name_of(world, place.user_id) for place in (victim, other)}
    username, email = names[victim.user_id]

    async def guess(document: int) -> Any:
        # Half of them by each name, in any case of letters.
        fields = "".join(
            f"a{n}: login(input: {{ username: {quoted(rng, (username, email)[n % 2])}, "
            f'password: "guess {document} {n}" }}) {{ userErrors {{ code }} }} '
            for n in range(ALIASES)
        )
        return await asked(guarded.any_port(rng), f"mutation {{ {fields} }}")

    begun = time.monotonic()
    answers = await asyncio.gather(*(guess(document) for document in range(size // ALIASES)))
    (row,) = await world.cluster.rows(_CHECKED, victim.user_id)
    passed = time.monotonic() - begun
    print(f"{row['count']} of {size} guesses were looked at, {passed:.1f} s")
    assert 20 <= row["count"] <= 20 + 2 * (passed // 60)
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", [])}
    assert codes == {"THROTTLED"}
    # Not even the right one is, from here; somebody else's is.
    refused = await asked(guarded.any_port(rng), _LOGIN, username=username, password=PASSWORD)
    ((error,),) = (refused["errors"],)
    assert 0 < error["extensions"]["retryAfter"] <= 60
    assert error["message"] == f"Too many attempts: try again in {error['extensions']['retryAfter']} seconds."
    for _ in range(20):
        found = await asked(
            guarded.any_port(rng), _LOGIN, username=names[other.user_id][0], password=PASSWORD
        )
        assert found["data"]["login"]["userErrors"] == []
    # A name that nobody has is full just the same.
    unknown = [
        await asked(guarded.any_port(rng), _LOGIN, username="nobody", password="guess") for _ in range(12)
    ]
    told = [
        answer.get("errors", [{"extensions": {"code": "WRONG"}}])[0]["extensions"]["code"]
        for answer in unknown
    ]
    assert told == ["WRONG"] * 10 + ["THROTTLED"] * 2


async def name_of(world: World, user_id: Any) -> tuple[str, str]:
    """The username and the e-mail address."""
    (row,) = await world.cluster.rows("SELECT username, email FROM users WHERE id = $1", user_id)
    return row["username"], row["email"]


def quoted(rng: random.Random, name: str) -> str:
    """The name as a string of GraphQL, in any case of letters."""
    return '"' + "".join(rng.choice((c.upper(), c.lower())) for c in name) + '"'
