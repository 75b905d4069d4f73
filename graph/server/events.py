"""GraphQL over server-sent events: the protocol graphql-sse in its "distinct connections" mode."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from starlette.responses import Response, StreamingResponse
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from graph.errors import Unauthenticated
from graph.server.client import ClientConnection
from graph.server.lifetime import LifeOver, watched
from graph.server.operations import Answer, Operations, error_answer
from graph.server.requests import GraphQLRequest

_FORMAT = SSETransport()


def event_stream(
    operations: Operations, requested: GraphQLRequest, token: str | None, client: ClientConnection
) -> Response:
    """Answer with one `next` event for each result, then `complete`; comments keep the connection open."""

    async def events() -> AsyncGenerator[str, None]:
        async with aclosing(_answers(operations, requested, token, client)) as answers:
            async for answer in answers:
                yield _FORMAT.encode_event("next", answer.encode(client.request_id).decode())
        yield _FORMAT.encode_complete()

    stream = merge_stream_with_heartbeat(
        events,
        lambda: _FORMAT.encode_comment("ping"),
        interval=_FORMAT.heartbeat_interval,
        send_initial_heartbeat=False,
    )
    return StreamingResponse(stream(), headers=dict(_FORMAT.headers))


async def _answers(
    operations: Operations, requested: GraphQLRequest, token: str | None, client: ClientConnection
) -> AsyncGenerator[Answer, None]:
    if not await operations.is_subscription(requested, client):
        yield await operations.run(requested, token, client)
        return
    async with AsyncExitStack() as stack:
        try:
            life = await stack.enter_async_context(watched(operations, token, client))
        except Exception as error:
            yield operations.failure(error, client.request_id)
            return
        answers = await stack.enter_async_context(aclosing(operations.subscribe(requested, token, client)))
        while True:
            try:
                async with life.within():
                    answer = await anext(answers)
            except StopAsyncIteration:
                return
            except LifeOver as over:
                yield error_answer(Unauthenticated(str(over)))
                return
            yield answer
