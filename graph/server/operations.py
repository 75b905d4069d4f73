"""Run one operation: a context of its own, a time limit, an answer; the context is always closed."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from graph.compiler.selecting import NotCompiled
from graph.errors import BadUserInput, CodedError, TimedOut
from graph.limits import CheckedOperation, DocumentRefused, Limits, refuse_large
from graph.loaders import reads_end_here
from graph.server.access import AccessLine
from graph.server.budgets import UserBudgets, Visit
from graph.server.client import ClientConnection
from graph.server.compiled import CompiledQueries
from graph.server.errors import internal, logger, present
from graph.server.examining import examine
from graph.server.requests import GraphQLRequest
from graph.server.serving import ServedSchema

# The context belongs to the schema: the transport only opens it, reads the viewer from it, and closes it.
OpenContext = Callable[[str | None, ClientConnection], Any]
QUERIES = frozenset({OperationType.QUERY})
QUERIES_AND_MUTATIONS = frozenset({OperationType.QUERY, OperationType.MUTATION})
_STATUS_OF = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "THROTTLED": 429,
    "INTERNAL_SERVER_ERROR": 500,
    "TIMEOUT": 504,
}


@dataclass(frozen=True)
class Answer:
    """One response: `executed` says that there is a data entry, which may be null."""

    body: dict[str, Any]
    executed: bool
    encoded: bytes | None = None

    @property
    def status(self) -> int:
        """Return the HTTP status, if the media type distinguishes a GraphQL response from any other JSON."""
        if self.executed:
            return 200
        return _STATUS_OF.get(self.body["errors"][0]["extensions"]["code"], 400)

    @property
    def retry_after(self) -> int | None:
        """Return after how many seconds to try again, where the request was throttled."""
        if self.executed or not self.body.get("errors"):
            return None
        seconds: int | None = self.body["errors"][0]["extensions"].get("retryAfter")
        return seconds

    def encode(self, request_id: str) -> bytes:
        """Write the answer as JSON; one that cannot be written becomes a masked error."""
        if self.encoded is not None:
            return self.encoded
        try:
            return orjson.dumps(self.body)
        except TypeError as error:
            return orjson.dumps({"errors": [internal(request_id, error)]})


def error_answer(error: CodedError) -> Answer:
    """Answer with one coded error and no data entry."""
    return Answer({"errors": [dict(error.formatted)]}, executed=False)


def answer_of(
    result: Any, request_id: str, limits: Limits, extensions: Mapping[str, Any] | None = None
) -> Answer:
    """Turn a result into an answer; without a data entry if nothing was executed.

    `extensions` are shown beside the data. An answer that is larger than it may be is an error.
    """
    body: dict[str, Any] = {}
    errors = result.errors or []
    executed = not isinstance(result, PreExecutionError) and (
        result.data is not None or any(error.path is not None for error in errors)
    )
    if executed:
        body["data"] = result.data
    if errors:
        body["errors"] = present(errors, request_id)
    if executed and extensions:
        body["extensions"] = extensions
    return _sized(Answer(body, executed), limits)


def _sized(answer: Answer, limits: Limits) -> Answer:
    """Encode an answer now, and refuse it if it is too large after all."""
    try:
        encoded = orjson.dumps(answer.body)
    except TypeError:
        # Nobody waits for it any longer: it becomes a masked error when it is sent.
        return answer
    refused = refuse_large(len(encoded), limits)
    return replace(answer, encoded=encoded) if refused is None else error_answer(refused)


@dataclass(frozen=True)
class CompiledAnswer(Answer):
    """An answer whose data is JSON already; `body` has only what goes beside it."""

    json: bytes = b""

    def encode(self, request_id: str) -> bytes:
        """Put the data and what goes beside it into one text."""
        if not self.body:
            return b'{"data":%b}' % self.json
        return b'{"data":%b,%b' % (self.json, orjson.dumps(self.body)[1:])


@dataclass(frozen=True)
class StreamLogin:
    """The login of a stream: for how many seconds it is valid, None for no limit, and its early end."""

    seconds: float | None
    ended: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Operations:
    """Runs operations, each in a context of its own. An operation answers, whatever happens."""

    schema: ServedSchema
    open_context: OpenContext
    timeout_seconds: float
    compiled: CompiledQueries | None = None
    budgets: UserBudgets | None = None
    user_of: Callable[[str], UUID | None] | None = None

    async def run(
        self,
        request: GraphQLRequest,
        token: str | None,
        client: ClientConnection,
        allowed: frozenset[OperationType] = QUERIES_AND_MUTATIONS,
        *,
        not_compiled: str | None = None,
    ) -> Answer:
        """Run a query or a mutation, for as long as one operation may take.

        With `not_compiled` the compiler has been asked already, and has said no for this reason.
        """
        line = AccessLine(self.schema, request, client.request_id)
        context: Any = None
        answer: Answer | None = None
        visit: Visit | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                visit = await self.enter(token, client.ip_address)
                if not_compiled is None:
                    try:
                        wants_cost = client.wants_cost or request.wants_cost
                        answer = await self.run_compiled(request, token, client, line, wants_cost=wants_cost)
                        return answer
                    except NotCompiled as reason:
                        not_compiled = str(reason)
                line.not_compiled = not_compiled
                context = self.open_context(token, client)
                checked = await self._check(request, context, client)
                line.estimated(checked.estimate.cost)
                schema = await self.schema.introspection.answer(request, checked, client.ip_address)
                if isinstance(schema, bytes):
                    answer = self._introspected(schema, checked, request, client)
                    return answer
                with reads_end_here():
                    result = schema or await self.schema.execute(
                        request.query,
                        variable_values=request.variables,
                        context_value=context,
                        operation_name=request.operation_name,
                        operation_extensions=request.extensions,
                        allowed_operation_types=allowed,
                    )
            answer = self._answer(result, checked, request, client, not_compiled)
        except Exception as error:
            answer = self.failure(error, client.request_id)
        finally:
            if answer is not None:
                line.answered(answer.status, answer.body)
            line.write(context)
            await close(context)
            self.leave(visit, line)
        return answer

    async def enter(self, token: str | None, address: str | None) -> Visit | None:
        """Let an operation in by its user's budget; by its address, where nobody is logged in.

        Each is followed by `leave`. Raise Throttled, or TimeoutError.
        """
        if self.budgets is None:
            return None
        user_id = self.user_id_of(token)
        return await self.budgets.enter(user_id or address, counted=user_id is not None)

    def user_id_of(self, token: str | None) -> UUID | None:
        """Return whose valid token it is; None for nobody's."""
        return None if token is None or self.user_of is None else self.user_of(token)

    def leave(self, visit: Visit | None, line: AccessLine) -> None:
        """Charge what an operation has used."""
        if visit is not None and self.budgets is not None:
            self.budgets.leave(visit, line.seconds)

    async def run_compiled(
        self,
        request: GraphQLRequest,
        token: str | None,
        client: ClientConnection | None,
        line: AccessLine,
        *,
        wants_cost: bool,
    ) -> Answer:
        """Answer a query by the compiler. Raise NotCompiled if the resolvers have to, or what it raises.

        Without a `client` nothing is computed in Python: HasPlaces is raised for a query that needs it.
        """
        if self.compiled is None:
            raise NotCompiled("the compiler is off")
        if token is None:
            raise NotCompiled("nobody is logged in")
        json, checked, user_id = await self.compiled.answer(request, token, client)
        line.user_id = user_id
        line.estimated(checked.estimate.cost)
        body = {}
        if wants_cost:
            body["extensions"] = {"cost": checked.report(), "compiler": {"compiled": True}}
        return CompiledAnswer(body, executed=True, json=json)

    async def subscribe(
        self, request: GraphQLRequest, token: str | None, client: ClientConnection
    ) -> AsyncGenerator[Answer, None]:
        """Stream a subscription's answers until it ends or its consumer is gone."""
        line = AccessLine(self.schema, request, client.request_id)
        line.count_events()
        context = None
        try:
            context = self.open_context(token, client)
            checked = await self._check(request, context, client)
            line.estimated(checked.estimate.cost)
            source = await self.schema.subscribe(
                request.query,
                variable_values=request.variables,
                context_value=context,
                operation_name=request.operation_name,
                operation_extensions=request.extensions,
            )
            async with aclosing(source):
                async for result in source:
                    answer = self._answer(result, checked, request, client)
                    line.event(answer.status, answer.body)
                    yield answer
        except Exception as error:
            answer = self.failure(error, client.request_id)
            line.answered(answer.status, answer.body)
            yield answer
        finally:
            line.write(context)
            await close(context)

    @asynccontextmanager
    async def login(self, token: str, client: ClientConnection) -> AsyncIterator[StreamLogin]:
        """Hold the login of a stream for as long as it lasts. Raise Unauthenticated if it is not valid."""
        context = self.open_context(token, client)
        try:
            async with context.login() as ended:
                expires_at: datetime | None = context.expires_at
                seconds = None if expires_at is None else (expires_at - datetime.now(UTC)).total_seconds()
                yield StreamLogin(seconds, ended)
        finally:
            await close(context)

    async def is_subscription(self, request: GraphQLRequest, client: ClientConnection) -> bool:
        """Return whether the operation that will run is a subscription; False if the document is wrong."""
        if "subscription" not in request.query:
            return False
        with suppress(DocumentRefused):
            await examine(self.schema.checks, request.query, client.ip_address)
            return self.schema.is_subscription(request.query, request.operation_name)
        return False

    async def _check(
        self, request: GraphQLRequest, context: Any, client: ClientConnection
    ) -> CheckedOperation:
        """Check the document; count by the viewer's rows only what would be too much otherwise.

        Raise DocumentRefused.
        """
        checks, asked = self.schema.checks, (request.query, request.variables, request.operation_name)
        await examine(checks, request.query, client.ip_address)
        try:
            return checks.check(*asked)
        except DocumentRefused as refused:
            if not refused.too_large:
                raise
        return checks.check(*asked, await context.row_counts())

    def _introspected(
        self, json: bytes, checked: CheckedOperation, request: GraphQLRequest, client: ClientConnection
    ) -> Answer:
        refused = refuse_large(len(json), self.schema.checks.limits)
        if refused is not None:
            return error_answer(refused)
        body = {}
        if client.wants_cost or request.wants_cost:
            body["extensions"] = {"cost": checked.report()}
        return CompiledAnswer(body, executed=True, json=json)

    def _answer(
        self,
        result: Any,
        checked: CheckedOperation,
        request: GraphQLRequest,
        client: ClientConnection,
        not_compiled: str | None = None,
    ) -> Answer:
        extensions: dict[str, Any] = {}
        if client.wants_cost or request.wants_cost:
            extensions["cost"] = checked.report()
            if not_compiled is not None:
                extensions["compiler"] = {"compiled": False, "reason": not_compiled}
        return answer_of(result, client.request_id, self.schema.checks.limits, extensions)

    def failure(self, error: Exception, request_id: str) -> Answer:
        """Answer for what stopped an operation from outside its fields."""
        if isinstance(error, TimeoutError):
            seconds = f"{self.timeout_seconds:g}"
            return error_answer(TimedOut(f"The operation took longer than {seconds} seconds."))
        if isinstance(error, CodedError):
            return error_answer(error)
        if isinstance(error, DocumentRefused):
            return Answer({"errors": present(error.errors, request_id)}, executed=False)
        if isinstance(error, InvalidOperationTypeError):
            kind = error.operation_type.value
            return error_answer(BadUserInput(f"A {kind} cannot be run by this kind of request."))
        if isinstance(error, CannotGetOperationTypeError | MissingQueryError):
            return error_answer(BadUserInput("The document has no operation of that name."))
        return Answer({"errors": [internal(request_id, error)]}, executed=False)


_closing: set[asyncio.Task[None]] = set()


async def close(context: Any) -> None:
    """Close a context completely, even if the caller is cancelled meanwhile."""
    closer = getattr(context, "close", None)
    if closer is None:
        return
    task = asyncio.ensure_future(_close(closer))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    await asyncio.shield(task)


async def _close(closer: Callable[[], Any]) -> None:
    try:
        closed = closer()
        if inspect.isawaitable(closed):
            await closed
    except Exception as error:
        logger.error("A context could not be closed.", exc_info=error)
