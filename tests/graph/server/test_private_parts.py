"""The parts of uvicorn and graphql-core that are nobody's promise: where one is gone, this says who needs it.

Each has an upper bound in pyproject.toml; raise that when these tests pass with the new version.
"""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest
from graphql.execution import values as coercion
from graphql.execution.executor import Executor
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.mark.parametrize("name", ["graphql-core", "uvicorn"])
def test_there_is_an_upper_bound(name: str) -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    (requirement,) = (each for each in dependencies if each.startswith(name))
    assert "<" in requirement


@pytest.mark.parametrize("method", ["connection_made", "pause_writing", "resume_writing", "connection_lost"])
@pytest.mark.parametrize("protocol", [HttpToolsProtocol, WebSocketsSansIOProtocol])
def test_slow_clients_extends_the_protocols_callbacks(protocol: type, method: str) -> None:
    assert inspect.isfunction(vars(protocol).get(method))


def test_slow_clients_extends_what_ends_a_connection() -> None:
    assert inspect.isfunction(HttpToolsProtocol.timeout_keep_alive_handler)
    assert inspect.iscoroutinefunction(WebSocketsSansIOProtocol.send)
    assert inspect.isfunction(WebSocketsSansIOProtocol.keepalive_timeout)


def test_serving_forgets_what_an_event_collected() -> None:
    assert "_relevant_sub_fields" in inspect.getsource(Executor)


def test_errors_tells_a_clients_mistake_by_where_it_was_raised() -> None:
    assert inspect.ismodule(coercion)
    assert coercion.__file__.endswith("values.py")
