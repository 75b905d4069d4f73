"""Compiled queries as the server runs them: for a token, with the services that are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import strawberry

from db.reading.catalog import ENTITIES, ROOT_LISTS
from graph.compiler.answering import QueryCompiler
from graph.compiler.describing import Arguments, Readables, connection_of, describe
from graph.compiler.plans import Planner
from graph.compiler.selecting import NotCompiled
from graph.limits import CheckedOperation, DocumentChecks
from graph.loaders import reads_end_here
from graph.readable import LOOKUPS, READABLE, ROOT_FILTERS
from graph.server.client import ClientConnection
from graph.server.examining import SHORT_CHARACTERS, examine
from graph.server.requests import GraphQLRequest
from graph.services import Services
from investing.auth.types import NotLoggedIn

NOT_COMPILED = "not_compiled"
"""Where a scope's state says why the compiler has said no already, so that it is not asked twice."""


def build_compiler(
    schema: strawberry.Schema, checks: DocumentChecks, executor: type[Any], timeout_seconds: float
) -> QueryCompiler:
    """Return the compiler of the schema's queries."""
    core = schema._schema
    query = core.query_type
    assert query is not None
    lists = {
        name: connection_of(name, query.fields[name], many, ROOT_FILTERS.get(name))
        for name, many in ROOT_LISTS.items()
    }
    readables = Readables(core, describe(core, READABLE, ENTITIES), lists, LOOKUPS, Arguments(schema).of)
    return QueryCompiler(checks, Planner(readables, ENTITIES, ROOT_LISTS), executor, timeout_seconds)


@dataclass(frozen=True)
class CompiledQueries:
    """Answers queries by the compiler, if it takes them."""

    compiler: QueryCompiler
    services: Callable[[], Services]
    open_context: Callable[[str | None, ClientConnection], Any]

    async def answer(
        self, request: GraphQLRequest, token: str, client: ClientConnection | None
    ) -> tuple[bytes, CheckedOperation, UUID]:
        """Return the data of a query, what it was measured as, and whose it is.

        Raise NotCompiled if the resolvers have to answer, what the compiler raises, or DocumentRefused for
        a long document.
        """
        services = self.services()
        try:
            claims = services.auth_service.claims(token)
        except NotLoggedIn:
            raise NotCompiled("nobody is logged in") from None
        if len(request.query) > SHORT_CHARACTERS:
            await examine(self.compiler.checks, request.query, claims.user_id)
        with reads_end_here():
            json, checked = await self.compiler.answer(
                request.query,
                request.operation_name,
                request.variables or {},
                claims,
                services.sessions.trees,
                services.row_counts.of,
                None if client is None else partial(self.open_context, token, client),
            )
        return json, checked, claims.user_id
