"""Log one line for each operation: what was asked for and what it cost, never its contents."""

import asyncio
import logging
import time
from typing import Any
from uuid import UUID

from db.statements import StatementCount, count_statements
from graph.server.client import ClientConnection
from graph.server.requests import GraphQLRequest
from graph.server.serving import ServedSchema
from runtime.logs import bind

logger = logging.getLogger("graphfolio.access")

GONE = 499
"""The status of an operation whose client disconnected before it was answered."""
LONGEST_NAME = 100


class AccessLine:
    """One operation, from its start until its line is written. It runs in a task of its own."""

    def __init__(self, schema: ServedSchema, request: GraphQLRequest, request_id: str) -> None:
        """Start: every line that is logged from now on in this task has the id of the request."""
        self._schema = schema
        self._request = request
        self._request_id = request_id
        self._began = time.perf_counter()
        self._took = 0.0
        self.user_id: UUID | None = None
        self.not_compiled: str | None = None
        self._statements: StatementCount = count_statements()
        self._status = GONE
        self._codes: dict[str, None] = {}
        self._cost: int | None = None
        self._events: int | None = None
        bind(request_id=request_id)

    @property
    def seconds(self) -> float:
        """Return how long its statements, and what threads computed for it, have taken so far."""
        return self._statements.seconds

    def answered(self, status: int, body: dict[str, Any]) -> None:
        """Note an answer; of a stream the last one counts."""
        self._status = status
        for error in body.get("errors", ()):
            self._codes[error["extensions"]["code"]] = None

    def estimated(self, cost: int) -> None:
        """Note the cost that the operation was accepted with."""
        self._cost = cost

    def count_events(self) -> None:
        """Start counting events, for a stream."""
        self._events = 0

    def event(self, status: int, body: dict[str, Any]) -> None:
        """Note one event of a stream."""
        self._events = (self._events or 0) + 1
        self.answered(status, body)

    def write(self, context: Any) -> None:
        """Write the line after the answer, once there is time. `context` says whose operation it was."""
        if logger.isEnabledFor(logging.INFO):
            self._took = time.perf_counter() - self._began
            self.user_id = getattr(context, "user_id", self.user_id)
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        name, kind = self._schema.operation_of(self._request.query, self._request.operation_name)
        fields: dict[str, object] = {
            "operation": name if name is None else name[:LONGEST_NAME],
            "kind": kind,
            "status": self._status,
            "duration_ms": round(self._took * 1000, 1),
            "cost": self._cost,
            "statements": self._statements.sent,
            "request_id": self._request_id,
            "user_id": self.user_id,
        }
        if self._events is not None:
            fields["events"] = self._events
        if self.not_compiled is not None and kind == "query":
            fields["not_compiled"] = self.not_compiled
        if self._codes:
            fields["codes"] = list(self._codes)
        logger.info("operation", extra=fields)


def log_refused(client: ClientConnection, status: int, code: str) -> None:
    """Log a request without an operation to run, or a WebSocket that was closed, with its close code."""
    fields = {"status": status, "codes": [code], "request_id": client.request_id}
    logger.info("request refused", extra=fields)
