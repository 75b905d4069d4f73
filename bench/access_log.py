"""What the log's line costs the smallest request, `{ __typename }`: without a log, and with both formats.

Everything but the network: the application is called as uvicorn calls it. The rounds take turns, and the
fastest of each counts, so that whatever else the machine does costs all of them the same.

    .venv/bin/python -m bench.access_log
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

from graph.schema import build_schema
from graph.server.app import build_app
from graph.server.client import ClientConnection
from runtime.logs import OURS, configure_logs
from runtime.services import Readiness

ROUNDS, REQUESTS = 40, 250
BODY = b'{"query": "{ __typename }"}'
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/graphql",
    "raw_path": b"/graphql",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 8000),
}


class Nobody:
    """The context of an operation that reads nothing."""

    user_id = None

    def __init__(self, token: str | None, client: ClientConnection) -> None:
        self.client = client


def application() -> Starlette:
    """Build the API without anything behind it."""

    async def ready() -> Readiness:
        return Readiness(True)

    return build_app(schema=build_schema(), open_context=Nobody, ready=ready)


async def request(app: Starlette) -> None:
    """One request, answered to nobody."""
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    await app({**SCOPE, "state": {}}, receive, send)


def without() -> None:
    """Nothing is logged."""
    logging.getLogger(OURS).setLevel(logging.WARNING)


def main() -> None:
    """Print the microseconds of CPU until the answer and in all, and both compared with no log."""
    with open("/dev/null", "w") as nowhere:
        settings: dict[str, Callable[[], None]] = {
            "no log": without,
            "json": lambda: configure_logs("json", stream=nowhere),
            "console": lambda: configure_logs("console", stream=nowhere),
        }
        fastest = asyncio.run(measured(settings))
    for name, both in fastest.items():
        shown = (
            f"{s * 1e6:5.0f} us {s / first:.3f}" for s, first in zip(both, fastest["no log"], strict=True)
        )
        print(f"{name:8} until the answer {next(shown)}, in all {next(shown)}")


async def measured(settings: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return the seconds of a request, until its answer and in all, in each setting's fastest round."""
    app = application()
    fastest = {name: [float("inf")] * 2 for name in settings}
    for _ in range(ROUNDS):
        for name, apply in settings.items():
            apply()
            began = time.process_time()
            for _ in range(REQUESTS):
                await request(app)
            answered = time.process_time()
            # The lines are written when the loop has nothing else to do.
            await asyncio.sleep(0)
            took = answered - began, time.process_time() - began
            fastest[name] = [min(old, new / REQUESTS) for old, new in zip(fastest[name], took, strict=True)]
    return fastest


if __name__ == "__main__":
    main()
