"""The log of a process: one line per event on standard error, for a person or for a program.

Everything logs through the standard library's `logging`, other packages too; fields of an event are given as
`extra`. How a line looks is decided here, once per process: structlog renders it.
"""

import datetime as dt
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

OURS = "graphfolio"
"""The parent of all of this project's loggers."""

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOTHING: Mapping[str, object] = MappingProxyType({})
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=_NOTHING)


def configure_logs(format: str = "", level: str = "info", stream: TextIO | None = None) -> None:
    """Write the log to `stream`, or to standard error, in place of whatever was set up before.

    `format` is `console` for people or `json` for programs; if left out, `console` on a terminal and `json`
    elsewhere. `level` is the lowest level that this project logs; other packages log warnings at least.
    """
    stream = stream or sys.stderr
    is_terminal = stream.isatty()
    chosen = format or ("console" if is_terminal else "json")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(chosen, colors=is_terminal and not os.environ.get("NO_COLOR")))
    root, threshold = logging.getLogger(), logging.getLevelNamesMapping()[level.upper()]
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(max(threshold, logging.WARNING))
    logging.getLogger(OURS).setLevel(threshold)
    logging.captureWarnings(True)
    # No line has them, and finding them takes as long as writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def bind(**fields: object) -> None:
    """Add these fields to every line that this task, and the tasks that it starts, log from now on."""
    _bound.set({**_bound.get(), **fields})


def unbind() -> None:
    """Stop adding fields."""
    _bound.set(_NOTHING)


class _Rendered(logging.Formatter):
    """Turns a record into an event, and has structlog render it.

    structlog's own formatter for records takes three times as long, and does more than is needed.
    """

    def __init__(self, processors: Sequence[Processor], time: Callable[[float], str]) -> None:
        super().__init__()
        self._processors = processors
        self._time = time

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record: the common fields, then what the task has bound, then its own."""
        event: Any = {
            "timestamp": self._time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_bound.get(),
        }
        for name, value in record.__dict__.items():
            if name not in _OF_EVERY_RECORD:
                event[name] = value
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, event["level"], event)
        return str(event)


def _formatter(format: str, *, colors: bool) -> logging.Formatter:
    if format == "json":
        # A traceback as text, without the values of local variables: they may be secrets.
        renderer = structlog.processors.JSONRenderer(serializer=_dumps)
        return _Rendered([structlog.processors.format_exc_info, renderer], _utc)
    console = structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=0,
        # The default prints the values of local variables.
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )
    return _Rendered([_without_nothing, console], _local)


def _without_nothing(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leave out fields without a value, which only take room on a screen."""
    return {name: value for name, value in event.items() if value is not None and value != []}


def _utc(created: float) -> str:
    return dt.datetime.fromtimestamp(created, dt.UTC).isoformat().replace("+00:00", "Z")


def _local(created: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))


def _dumps(event: Mapping[str, Any], **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
