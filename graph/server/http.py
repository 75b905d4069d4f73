"""GraphQL over HTTP: one POST, one answer, or a stream of events."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graph.errors import CodedError
from graph.server.access import log_refused
from graph.server.client import DEVICE_TOKEN, ClientConnection, bearer_token, client_of
from graph.server.compiled import NOT_COMPILED
from graph.server.errors import RequestRefused, bad_request
from graph.server.events import event_stream
from graph.server.leaving import while_connected
from graph.server.negotiation import EVENT_STREAM, GRAPHQL_JSON, JSON, negotiate
from graph.server.operations import QUERIES, QUERIES_AND_MUTATIONS, Answer, Operations, error_answer
from graph.server.requests import read_query_string, read_request


@dataclass(frozen=True)
class GraphQLOverHTTP:
    """The HTTP side of the endpoint, an ASGI application.

    GET is off unless `queries_over_get` opens it, and then only to queries.
    """

    operations: Operations
    max_body_bytes: int
    queries_over_get: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            # The client is gone, so nobody is left to answer; the server is not at fault.
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        client = client_of(request)
        media_type = JSON
        try:
            self._check_method(request.method)
            media_type = negotiate(request.headers.get("accept"))
            if request.method == "GET":
                requested = read_query_string(request.query_params)
            else:
                requested = await read_request(request, self.max_body_bytes)
            token = bearer_token(request.headers.get("authorization"))
        except RequestRefused as refused:
            log_refused(client, refused.status, refused.error.code)
            return respond(error_answer(refused.error), media_type, client, refused.status, refused.headers)
        except CodedError as error:
            log_refused(client, error_answer(error).status, error.code)
            return respond(error_answer(error), media_type, client)
        if media_type == EVENT_STREAM:
            return event_stream(self.operations, requested, token, client)
        allowed = QUERIES if request.method == "GET" else QUERIES_AND_MUTATIONS
        not_compiled = request.scope["state"].get(NOT_COMPILED)
        running = self.operations.run(requested, token, client, allowed, not_compiled=not_compiled)
        answer = await while_connected(
            request.receive, running, lambda: self.operations.schema.is_query(requested)
        )
        return respond(answer, media_type, client)

    def _check_method(self, method: str) -> None:
        methods = ("GET", "POST") if self.queries_over_get else ("POST",)
        if method not in methods:
            raise bad_request(f"The method must be {' or '.join(methods)}.", 405, allow=", ".join(methods))


def respond(
    answer: Answer,
    media_type: str,
    client: ClientConnection,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the HTTP response of an answer.

    In plain JSON a well-formed request has status 200 whatever became of it.
    """
    if media_type == EVENT_STREAM:
        media_type = JSON
    if status is None:
        status = answer.status if media_type == GRAPHQL_JSON else 200
    content_type = f"{media_type}; charset=utf-8"
    if answer.retry_after is not None:
        headers = {**(headers or {}), "retry-after": str(answer.retry_after)}
    all_headers = {"content-type": content_type, "cache-control": "no-store", **(headers or {})}
    if client.device.issued is not None:
        all_headers[DEVICE_TOKEN] = client.device.issued
    return Response(answer.encode(client.request_id), status, all_headers)
