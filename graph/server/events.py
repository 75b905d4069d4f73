"""GraphQL over server-sent events: the protocol graphql-sse in its "distinct connections" mode."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from starlette.responses import Response, StreamingResponse
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from graph.errors import Unauthenticated
from graph.server.client import Client
from graph.server.lifetime import LifeOver, watched
from graph.server.operations import Answer, Operations, refusal
from graph.server.requests import GraphQLRequest

_FORMAT = SSETransport()


def event_stream(
    operations: Operations, asked: GraphQLRequest, token: str | None, client: Client
) -> Response:
    """Answer with one `next` event for each result, then `complete`; comments keep the line open."""

    async def events() -> AsyncGenerator[str, None]:
        async with aclosing(_answers(operations, asked, token, client)) as answers:
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
    operations: Operations, asked: GraphQLRequest, token: str | None, client: Client
) -> AsyncGenerator[Answer, None]:
    if not operations.schema.is_subscription(asked.query, asked.operation_name):
        yield await operations.run(asked, token, client)
        return
    async with AsyncExitStack() as stack:
        try:
            life = await stack.enter_async_context(watched(operations, token, client))
        except Exception as error:
            yield operations.failure(error, client.request_id)
            return
        answers = await stack.enter_async_context(aclosing(operations.subscribe(asked, token, client)))
        while True:
            try:
                async with life.within():
                    answer = await anext(answers)
            except StopAsyncIteration:
                return
            except LifeOver as over:
                yield refusal(Unauthenticated(str(over)))
                return
            yield answer
