"""What every answer shares: an id, security headers for browsers, and no traceback for a client."""

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.server.client import request_id_of
from graph.server.errors import internal

# Only the explorer's page loads anything, and it brings a policy of its own.
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


class Envelope:
    """Adds the headers that an answer lacks, and answers for whatever fails further in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; lifespan and WebSocket have no such headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                added = {**HEADERS, b"x-request-id": request_id.encode()}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in added.items() if name not in present),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            body = orjson.dumps({"errors": [internal(request_id, error)]})
            if not started:
                await Response(body, 500, media_type="application/json")(scope, receive, send_on)
