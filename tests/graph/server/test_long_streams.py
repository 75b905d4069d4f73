"""A stream of many events holds no more than one of a few."""

import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
import strawberry
from graphql.execution.collect_fields import CollectedFields
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.limits import STANDARD
from graph.server.serving import Executor, ServedSchema


@strawberry.type
class Tick:
    price: int


@strawberry.type
class Query:
    price: int = 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncGenerator[Tick, None]:
        while True:
            yield Tick(price=1)


def _held() -> int:
    gc.collect()
    return sum(isinstance(thing, CollectedFields) for thing in gc.get_objects())


# The library's own shows what the other is for: where it holds nothing either, ours can go.
@pytest.mark.parametrize(
    ("executor", "more"), [(Executor, 0), (StrawberryGraphQLCoreExecutionContext, 300)], ids=["ours", "plain"]
)
async def test_a_stream_keeps_nothing_of_its_events(executor: Any, more: int) -> None:
    schema = ServedSchema.around(strawberry.Schema(query=Query, subscription=Subscription), STANDARD)
    assert schema.execution_context_class is Executor
    schema.execution_context_class = executor
    source: Any = await schema.subscribe("subscription { ticks { price } }")
    async with aclosing(source):
        for _ in range(10):
            assert (await anext(source)).data == {"ticks": {"price": 1}}
        held = _held()
        for _ in range(300):
            await anext(source)
        assert _held() == held + more
