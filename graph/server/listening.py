"""Listen for requests, with uvicorn, until the process is told to end."""

import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from graph.server.slow_clients import patience

FINISH_SECONDS = 10
"""How long requests in progress have to finish when the process is told to end."""


def listen(app: Starlette, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve the application; call `started` with its address once it takes connections.

    What uvicorn logs goes to the same log as everything else. Exit the process if the address cannot be
    listened on.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=FINISH_SECONDS,
        **patience(),
    )
    server = _Announced(config, started)
    try:
        server.run()
    except KeyboardInterrupt:
        # The server has ended by then, as it should on Ctrl-C.
        pass
    if not server.started:
        sys.exit(3)


class _Announced(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report the address."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._tell(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
