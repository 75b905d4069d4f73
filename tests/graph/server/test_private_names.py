"""What is relied on in other packages without being promised by them is still there."""

import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from graphql.execution import Executor
from nats.aio.client import Client
from strawberry import Schema
from strawberry.types import ExecutionContext
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ROOT = Path(__file__).parent.parent.parent.parent
SLOW_CLIENTS = "graph/server/slow_clients.py"

# The package, the class that has it, the text that stands in its source, and who relies on it.
RELIED_ON = [
    ("uvicorn", HttpToolsProtocol, "self.transport = transport", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, "def connection_made(", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, "def connection_lost(", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, "def pause_writing(", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, "def resume_writing(", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, "def timeout_keep_alive_handler(", SLOW_CLIENTS),
    ("uvicorn", HttpToolsProtocol, ", self.timeout_keep_alive_handler", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "self.transport = transport", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "def connection_made(", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "def connection_lost(", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "def pause_writing(", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "def resume_writing(", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "def keepalive_timeout(", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, ", self.keepalive_timeout)", SLOW_CLIENTS),
    ("uvicorn", WebSocketsSansIOProtocol, "async def send(", SLOW_CLIENTS),
    ("graphql-core", Executor, "self._relevant_sub_fields", "graph/server/serving.py"),
    ("graphql-core", Executor, "def build_per_event_executor(", "graph/server/serving.py"),
    ("strawberry-graphql", Schema, "self._schema", "graph/server/serving.py"),
    ("strawberry-graphql", Schema, "self.execution_context_class", "graph/server/serving.py"),
    ("strawberry-graphql", ExecutionContext, "self._provided_operation_name", "graph/server/limiting.py"),
    ("nats-py", Client, "self._server_info", "investing/nats_transport.py"),
]


@pytest.mark.parametrize(("package", "owner", "text", "used_by"), RELIED_ON)
def test_it_is_still_there(package: str, owner: type, text: str, used_by: str) -> None:
    assert text in inspect.getsource(owner), (
        f"{package} {version(package)} has no `{text}` in {owner.__name__} any more, which {used_by} relies "
        "on: see what took its place before you raise the upper bound in pyproject.toml."
    )


@pytest.mark.parametrize("package", ["uvicorn", "graphql-core"])
def test_a_release_that_may_change_it_is_not_installed(package: str) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = next(text for text in dependencies if re.split(r"[\[<>=]", text)[0] == package)
    major, minor, *_ = version(package).split(".")
    bound = f",<{major}.{int(minor) + 1}"
    assert wanted.endswith(bound), f"{package} {version(package)} needs the upper bound {bound[1:]}"
