"""The compiler knows no portfolio: books and their authors are read as well, from tables of their own."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry
from graphql import parse

from db.auth.listings import USERS
from db.entities import Entity, Figure, Many, One
from db.pages import Key, Listing, columns, plain_text
from db.sessions import Sessions
from graph.compiler.describing import (
    Arguments,
    Computed,
    NotDescribed,
    Readables,
    ReadableType,
    connection_of,
    describe,
)
from graph.compiler.plans import Planner
from graph.connections import After, Before, Connection, First, Last
from graph.node import Node
from investing.auth.keys import KeyRing
from investing.auth.tokens import AccessTokens
from tests.conftest import execute
from tests.graph.conftest import Api

TABLES = (
    "CREATE TABLE authors (owner_id uuid NOT NULL, id uuid PRIMARY KEY, name text NOT NULL)",
    """CREATE TABLE books (owner_id uuid NOT NULL, id uuid PRIMARY KEY, author_id uuid NOT NULL,
        title text NOT NULL, pages integer NOT NULL)""",
    *(
        statement.format(table)
        for table in ("authors", "books")
        for statement in (
            "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE {} FORCE ROW LEVEL SECURITY",
            "CREATE POLICY own ON {} "
            "USING (owner_id = nullif(current_setting('app.user_id', true), '')::uuid)",
            "GRANT SELECT ON {} TO graphfolio_app",
        )
    ),
)
AUTHORS: Listing[Any] = Listing(object, "authors", columns("id name"), "authors", (Key("id", "t.id", UUID),))
BOOKS: Listing[Any] = Listing(
    object, "books", columns("id title pages author_id"), "books", (Key("title", "t.title", plain_text),)
)
ENTITIES: Mapping[str, Entity] = {
    "users": Entity(USERS, owner="t.id"),
    "authors": Entity(
        AUTHORS, lists={"books": Many("books", replace(BOOKS, name="author_books", parent="t.author_id"))}
    ),
    "books": Entity(
        BOOKS,
        figures={"is_long": Figure("t.pages > 500")},
        ones={"author": One("authors", on="t.author_id")},
    ),
}
ROOTS = {"books": Many("books", BOOKS)}


@strawberry.type
class Author(Node):
    name: str

    @strawberry.field
    def books(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection["Book"]:
        raise NotImplementedError


@strawberry.type
class Book(Node):
    title: str
    pages: int
    is_long: bool
    author: Author
    mood: str


@strawberry.type
class Query:
    @strawberry.field
    def books(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Book]:
        raise NotImplementedError


SCHEMA = strawberry.Schema(Query)
READABLE = {"Author": ReadableType("authors"), "Book": ReadableType("books", computed=frozenset({"mood"}))}


def test_a_field_that_nobody_has_described_is_a_mistake() -> None:
    with pytest.raises(NotDescribed, match=r"Book\.mood"):
        describe(SCHEMA._schema, {**READABLE, "Book": ReadableType("books")}, ENTITIES)
    with pytest.raises(NotDescribed, match=r"Book\.author"):
        describe(SCHEMA._schema, {"Book": READABLE["Book"]}, ENTITIES)
    described = describe(SCHEMA._schema, READABLE, ENTITIES)
    assert described["Book"].fields["mood"] == Computed()
    assert set(described["Book"].fields) == {"id", "title", "pages", "isLong", "author", "mood"}


def _planner() -> Planner:
    core = SCHEMA._schema
    assert core.query_type is not None
    lists = {"books": connection_of("books", core.query_type.fields["books"], ROOTS["books"], None)}
    described = describe(core, READABLE, ENTITIES)
    return Planner(Readables(core, described, lists, {}, Arguments(SCHEMA).of), ENTITIES, ROOTS)


QUERY = """query($n: Int) { books(first: $n) { totalCount nodes { title isLong author { name
    books(last: 1) { nodes { pages } } } } } }"""


async def test_books_of_ones_own(
    register: Any, ring: KeyRing, sessions: Sessions, superuser_url: str
) -> None:
    owner, other = register(), register()
    await execute(superuser_url, *TABLES)
    planner = _planner()
    plan = planner.plan(parse(QUERY), None)
    compiled, values = planner.compiled(plan, {"n": 2})
    assert compiled.statement is not None
    for api, titles in ((owner, ["Émile", '"It\'s" \\ 😀', "Zadig"]), (other, ["Theirs"])):
        await _store(superuser_url, _user(api, ring), titles)
    for api, expected in ((owner, ['"It\'s" \\ 😀', "Zadig"]), (other, ["Theirs"])):
        claims = AccessTokens(ring, "graphfolio", "graphfolio").verify(str(api.token))
        text = await sessions.trees.fetch(compiled.statement.sql, claims.user_id, claims.session_id, values)
        assert text is not None
        page = json.loads(text)["books"]
        assert sorted(book["title"] for book in page["nodes"]) == expected
        assert page["totalCount"] == (3 if api is owner else 1)
        # The last by its title is the first that was stored.
        author = {"name": "A", "books": {"nodes": [{"pages": 400}]}}
        assert [book["author"] for book in page["nodes"]] == [author] * len(expected)
        assert [book["isLong"] for book in page["nodes"]] == [False, True][: len(expected)]
        # A login that has ended reads nothing.
        assert await sessions.trees.fetch(compiled.statement.sql, claims.user_id, UUID(int=0), values) is None


def _user(api: Api, ring: KeyRing) -> UUID:
    return AccessTokens(ring, "graphfolio", "graphfolio").verify(str(api.token)).user_id


async def _store(url: str, owner_id: UUID, titles: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """WITH a AS (INSERT INTO authors VALUES ($1, gen_random_uuid(), 'A') RETURNING id)
            INSERT INTO books SELECT $1, gen_random_uuid(), a.id, title, 300 + 100 * n
            FROM a, unnest($2::text[]) WITH ORDINALITY t(title, n)""",
            owner_id,
            titles,
        )
    finally:
        await connection.close()
