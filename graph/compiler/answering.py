"""Answer a query of stored data by one statement; say no to everything else, which the resolvers answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from db.reading.text import MARK, MISSING
from db.sessions import is_away, took_too_long
from graph.compiler.places import fill
from graph.compiler.plans import Planner, QueryPlan
from graph.compiler.selecting import NotCompiled
from graph.limits import CheckedOperation, DocumentChecks, DocumentRefused, refuse_large

logger = logging.getLogger("graphfolio.compiler")

_MISSING = MISSING.encode()
_MARK = MARK.encode()


class Trees(Protocol):
    """Reads the text of a statement for a user, as long as their login stands."""

    async def fetch(self, sql: str, user_id: UUID, login_id: UUID, values: Sequence[object]) -> bytes | None:
        """Return the text; None if the login has ended."""


class LoginKey(Protocol):
    """Whose query it is, and by which login."""

    @property
    def user_id(self) -> UUID:
        """Return the user's id."""

    @property
    def session_id(self) -> UUID:
        """Return the login's id."""


class HasPlaces(Exception):
    """Python has to compute something of the answer, and is not allowed to."""


@dataclass
class QueryCompiler:
    """Compiles documents of a schema, and keeps their plans."""

    checks: DocumentChecks
    planner: Planner
    executor: type[Any]
    timeout_seconds: float

    def plan_of(
        self,
        query: str,
        operation_name: str | None,
        variables: Mapping[str, Any],
        rows: Sequence[int] | None = None,
    ) -> tuple[QueryPlan, CheckedOperation]:
        """Return the plan of an operation that may run. Raise DocumentRefused."""
        checked = self.checks.check(query, variables, operation_name, rows)
        known = self.checks.known.peek(query)
        if known is None:
            return self.planner.plan(checked.document, operation_name), checked
        plan = known.plans.get(operation_name)
        if plan is None:
            plan = known.plans[operation_name] = self.planner.plan(checked.document, operation_name)
        return plan, checked

    async def answer(
        self,
        query: str,
        operation_name: str | None,
        variables: Mapping[str, Any],
        login: LoginKey,
        trees: Trees,
        count_rows: Callable[[UUID], Awaitable[Sequence[int]]],
        open_context: Callable[[], Any] | None,
    ) -> tuple[bytes, CheckedOperation]:
        """Return the JSON of a query's data, and what the document was measured as.

        `count_rows` counts what the user has, for a query that would be too large by its pages alone, and
        `open_context` opens a context for what Python computes; without it, HasPlaces is raised instead.
        Raise NotCompiled if the resolvers have to answer, TimeoutError if the statement took too long, and
        QueryTooComplex for an answer that is too large.
        """
        try:
            plan, checked = self.plan_of(query, operation_name, variables)
        except DocumentRefused as refused:
            if not refused.too_large:
                raise NotCompiled("it is refused") from None
            try:
                plan, checked = self.plan_of(
                    query, operation_name, variables, await count_rows(login.user_id)
                )
            except DocumentRefused:
                raise NotCompiled("it is refused") from None
        compiled, values = self.planner.compiled(plan, variables)
        statement = compiled.statement
        if statement is None:
            return compiled.constant, checked
        if compiled.places and open_context is None:
            raise HasPlaces
        text = await _fetch(trees, statement.sql, login, values)
        if statement.has_marks:
            if _MISSING in text:
                raise NotCompiled("an object was not found")
            if _MARK in text and open_context is not None:
                async with asyncio.timeout(self.timeout_seconds):
                    schema, context = self.checks.schema, open_context()
                    text = await fill(schema, self.executor, context, plan, compiled.places, variables, text)
        too_large = refuse_large(len(text), self.checks.limits)
        if too_large is not None:
            raise too_large
        return text, checked


async def _fetch(trees: Trees, sql: str, login: LoginKey, values: Sequence[object]) -> bytes:
    try:
        text = await trees.fetch(sql, login.user_id, login.session_id, values)
    except TimeoutError:
        raise
    except Exception as error:
        if took_too_long(error):
            raise TimeoutError from error
        # While the database is away the resolvers' error says so, and one line of the log for all of them.
        if not is_away(error):
            logger.warning("a compiled statement failed", exc_info=error)
        raise NotCompiled(f"its statement failed: {type(error).__name__}") from None
    if text is None:
        raise NotCompiled("the login has ended")
    return text
