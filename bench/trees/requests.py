"""What is sent: for each shape, target and user the request whose answer is known from the limit."""

import datetime as dt
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from bench.trees.database import Filled
from bench.trees.load import Client, Request, WrongAnswer, request
from bench.trees.plan import DEPTH, Plan
from bench.trees.shapes import LARGEST_PAGE, WIDE, Shape
from bench.trees.targets import Target
from investing.auth.keys import KeyRing
from investing.auth.tokens import AccessTokens
from investing.global_ids import encode_global_id

SAMPLE = 64
"""How many ordinary users take turns: more than any server has connections."""
TOKEN_LIFETIME = dt.timedelta(minutes=60)


@dataclass(frozen=True)
class Person:
    """A user of the database and one of their logins."""

    name: str
    user_id: UUID
    session_id: UUID


@dataclass(frozen=True)
class Corpus:
    """Who asks, and with which cursors."""

    people: dict[str, list[Person]]
    variables: dict[str, dict[str, str]]
    """By the shape's key; the cursors are Graphfolio's, which the limit and most peers share."""
    wide_portfolio: UUID
    deep_portfolio: UUID
    postgres: str
    """The version of PostgreSQL."""


async def read_corpus(database: Filled, plan: Plan) -> Corpus:
    """Read who there is, and the cursors of the deep page and of the pages of the wide list."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.superuser_url)
    try:
        rows = await connection.fetch(
            "SELECT u.username, u.id, s.id AS login FROM users u JOIN refresh_tokens s ON s.owner_id = u.id "
            "ORDER BY u.id"
        )
        people: dict[str, list[Person]] = {}
        for row in rows:
            person = Person(row["username"], row["id"], row["login"])
            people.setdefault("ordinary" if person.name.startswith("user") else person.name, []).append(
                person
            )
        people["ordinary"] = people["ordinary"][:SAMPLE]
        people["grown"] = people[f"grown{plan.sizes[1]}"]
        portfolio = "SELECT id FROM portfolios WHERE owner_id = $1"
        deep, wide = people["deep"][0].user_id, people["wide"][0].user_id
        deep_portfolio: UUID = await connection.fetchval(portfolio, deep)
        wide_portfolio: UUID = await connection.fetchval(portfolio, wide)
        symbols = await connection.fetch(
            "SELECT i.symbol FROM positions t JOIN instruments i ON i.id = t.instrument_id "
            "WHERE t.owner_id = $1 ORDER BY i.symbol",
            wide,
        )
        entry = await connection.fetchrow(
            "SELECT id, to_char(executed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at "
            "FROM transactions WHERE owner_id = $1 AND portfolio_id = $2 "
            "ORDER BY executed_at DESC, id DESC OFFSET $3 LIMIT 1",
            deep,
            deep_portfolio,
            DEPTH - 1,
        )
        assert entry is not None
        version: str = await connection.fetchval(
            "SELECT split_part(current_setting('server_version'), ' ', 1)"
        )
    finally:
        await connection.close()
    cursors = {
        name: _cursor("positions", symbols[LARGEST_PAGE * number - 1]["symbol"])
        for number, name in enumerate(WIDE, 1)
    }
    after = _cursor("transactions", entry["at"], str(entry["id"]))
    id = encode_global_id("Portfolio", deep_portfolio)
    variables = {"D": {"id": id, "after": after}, "W": cursors}
    return Corpus(people, variables, wide_portfolio, deep_portfolio, version)


def _cursor(*keys: str) -> str:
    return urlsafe_b64encode(json.dumps(keys, separators=(",", ":"), ensure_ascii=False).encode()).decode()


class Requests:
    """Writes the requests of every target; tokens are issued anew by `renew`."""

    def __init__(self, corpus: Corpus, ring: KeyRing) -> None:
        self._corpus = corpus
        self._tokens = AccessTokens(ring, "graphfolio", "graphfolio", TOKEN_LIFETIME)
        self._issued: dict[str, str] = {}
        self._variables: dict[str, dict[str, dict[str, str]]] = {}

    def renew(self) -> None:
        """Issue new tokens from here on."""
        self._issued.clear()

    def token(self, person: Person) -> str:
        """Return a token of a person's login."""
        if person.name not in self._issued:
            now = dt.datetime.now(dt.UTC)
            text, _ = self._tokens.issue(person.user_id, person.session_id, now)
            self._issued[person.name] = text
        return self._issued[person.name]

    async def find_cursors(self, target: Target) -> None:
        """Find the cursors of a server that writes its own; the entries that they stand for are the same."""
        found = self._variables[target.key] = dict(self._corpus.variables)
        if not target.dialect.by_symbol:
            return
        d, corpus = target.dialect, self._corpus
        by_time = (corpus.people["deep"][0], corpus.deep_portfolio, "transactions", d.newest_first)
        by_symbol = (corpus.people["wide"][0], corpus.wide_portfolio, "positions", d.by_symbol)
        after = await self._cursor_at(target, *by_time, DEPTH - 1)
        found["D"] = {"id": str(corpus.deep_portfolio), "after": after}
        found["W"] = {
            name: await self._cursor_at(target, *by_symbol, LARGEST_PAGE * number - 1)
            for number, name in enumerate(WIDE, 1)
        }

    async def _cursor_at(
        self, target: Target, person: Person, portfolio: UUID, field: str, order: str, offset: int
    ) -> str:
        below = f"{field}(first: 1 offset: {offset} {order}) {{ edges {{ cursor }} }}"
        text = f'{{ portfolioByKey(key: "{portfolio}") {{ {below} }} }}'
        body = json.dumps({"query": text}).encode()
        answer = await target.client.ask(
            request("cursor", target.port, {"x-user-id": str(person.user_id)}, body)
        )
        cursor: str = data_of(answer)["portfolioByKey"][field]["edges"][0]["cursor"]
        return cursor

    def of(self, shape: Shape, target: Target) -> list[Request]:
        """Return the requests of a shape, one for each user whose tree is read."""
        given: dict[str, Any] = {"query": shape.text(target.dialect)}
        if shape.variables:
            given["variables"] = self._variables[target.key][shape.key]
        body = json.dumps(given).encode()
        return [
            request(
                f"{shape.key} {shape.users} {person.name}",
                target.port,
                target.headers(shape, str(person.user_id), self.token(person)),
                body,
            )
            for person in self._corpus.people[shape.users]
        ]


async def compare(shape: Shape, wanted: list[Request], target: Target, limit: dict[str, Any]) -> None:
    """Ask for each user's tree once, and compare it with the limit's; the bytes are known from then on.

    `limit` has the limit's answers by name, and gets them where `target` is the limit. The cursors of a
    server that writes its own are left out of the comparison. Raise WrongAnswer.
    """
    client = Client(target.port, target.client.known)
    try:
        for each in wanted:
            answer = await client.ask(each)
            data = data_of(answer)
            if target.key == "limit":
                limit[each.name] = data
            elif _comparable(data, target) != _comparable(limit[each.name], target):
                raise WrongAnswer(f"another answer than the limit's to {each.name}: {answer[:500]!r}")
            client.check(each, answer)
    finally:
        client.close()


def data_of(answer: bytes) -> Any:
    """Return what an answer holds. Raise WrongAnswer if it has errors."""
    found = json.loads(answer)
    if found.get("errors") or found.get("data") is None:
        raise WrongAnswer(f"errors: {answer[:500]!r}")
    return found["data"]


def _comparable(data: Any, target: Target) -> Any:
    if not target.dialect.by_symbol:
        return data
    if isinstance(data, dict):
        return {
            name: None if name == "cursor" else _comparable(value, target) for name, value in data.items()
        }
    return [_comparable(value, target) for value in data] if isinstance(data, list) else data
