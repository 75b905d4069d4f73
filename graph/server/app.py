"""The application: GraphQL, its schema and explorer, and the two health endpoints for a supervisor."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import strawberry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import normalize_allowed_origins

from db.outages import Outage
from graph.errors import BadUserInput
from graph.graphiql import explorer
from graph.limits import STANDARD, Limits
from graph.server.budgets import BudgetLimits, UserBudgets
from graph.server.client import COST_HEADER, DEVICE_TOKEN, is_local
from graph.server.compiled import CompiledQueries, build_compiler
from graph.server.direct import DirectOperations
from graph.server.envelope import Envelope
from graph.server.errors import logger
from graph.server.http import GraphQLOverHTTP
from graph.server.operations import OpenContext, Operations
from graph.server.schema_page import schema_page
from graph.server.serving import ServedSchema
from graph.server.websocket import GraphQLOverWebSocket
from graph.services import Services
from investing.auth.types import NotLoggedIn
from runtime.services import Readiness

READY_SECONDS = 5


def build_app(
    *,
    schema: strawberry.Schema,
    open_context: OpenContext,
    ready: Callable[[], Awaitable[Readiness]],
    lifespan: Any = None,
    allowed_origins: Sequence[str] = (),
    limits: Limits = STANDARD,
    max_body_bytes: int = 256 * 1024,
    operation_timeout_seconds: float = 30,
    init_timeout_seconds: float = 10,
    max_operations_per_socket: int = 50,
    queries_over_get: bool = False,
    services: Callable[[], Services] | None = None,
    compiler: bool = True,
    budgets: BudgetLimits | None = None,
) -> Starlette:
    """Build the server around a schema.

    `open_context(token, client)` returns a fresh context for one operation. Its `close()` is awaited after
    the operation. A stream with a token holds `login()` of a context of its own, which raises Unauthenticated
    for a bad one, and ends at its `expires_at`, if it has one, or when what `login()` yields returns. Pages
    of `allowed_origins` may call the endpoint beside those of its own origin. GET is off, unless
    `queries_over_get` opens it to queries. With `services` queries of stored data are compiled, unless
    `compiler` is False, and users have `budgets`.
    """
    origins = normalize_allowed_origins(allowed_origins)
    served = ServedSchema.around(schema, limits)
    compiled = None
    if services is not None and compiler:
        query_compiler = build_compiler(
            schema, served.checks, served.execution_context_class, operation_timeout_seconds
        )
        compiled = CompiledQueries(query_compiler, services, open_context)
    operations = Operations(
        served,
        open_context,
        operation_timeout_seconds,
        compiled,
        None if budgets is None else UserBudgets(budgets, operation_timeout_seconds),
        None if services is None else partial(_user_of, services),
    )
    middleware = [Middleware(Envelope)]
    if origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(origins),
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "x-request-id", COST_HEADER, DEVICE_TOKEN],
                expose_headers=["x-request-id", DEVICE_TOKEN],
            )
        )
    app = _Application(
        routes=[
            Route("/graphql", GraphQLOverHTTP(operations, max_body_bytes, queries_over_get)),
            WebSocketRoute(
                "/graphql",
                GraphQLOverWebSocket(operations, origins, init_timeout_seconds, max_operations_per_socket),
            ),
            Route("/schema.graphql", schema_page(schema)),
            *explorer("/graphiql"),
            Route("/health", _health),
            Route("/ready", _readiness(ready)),
            Route("/", _to_explorer),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_page},
        lifespan=lifespan,
    )
    if compiled is not None:
        app.direct = DirectOperations(
            app.answer, operations, "/graphql", max_body_bytes, cross_origin=bool(origins)
        )
    return app


class _Application(Starlette):
    """Starlette, with the direct way in front of everything, its middleware too."""

    direct: DirectOperations | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.direct or self.answer)(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as Starlette does."""
        await super().__call__(scope, receive, send)


def _user_of(services: Callable[[], Services], token: str) -> UUID | None:
    try:
        return services().auth_service.user_of(token)
    except NotLoggedIn:
        return None


async def _health(request: Request) -> Response:
    return _json({"status": "ok"})


def _readiness(ready: Callable[[], Awaitable[Readiness]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer 200 if requests can be sent here, else 503; name failing services to this machine only."""

    checking = Outage(logger, "The check of readiness")

    async def readiness(request: Request) -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS):
                found = await ready()
            checking.over()
        except Exception as error:
            checking.began(error)
            found = Readiness(False)
        body: dict[str, object] = {"status": "ready" if found.is_ready else "unavailable"}
        if is_local(request):
            body["degraded"] = found.degraded
        return _json(body, 200 if found.is_ready else 503)

    return readiness


async def _to_explorer(request: Request) -> Response:
    return RedirectResponse("/graphiql")


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"errors": [dict(BadUserInput(f"{error.detail}.").formatted)]}
    return _json(body, error.status_code, dict(error.headers or {}))


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(body), status, {"cache-control": "no-store", **(headers or {})}, "application/json"
    )
