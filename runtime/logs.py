"""The log of a process: one line an event on standard error, for a person or for a program.

Everything logs through the standard library's `logging`, other packages too; fields of an event are given as
`extra`. Here it is decided, once a process, how a line looks: structlog renders it.
"""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

OURS = "graphfolio"
"""The logger above all of this project's."""


def configure_logs(format: str = "", level: str = "info", stream: TextIO | None = None) -> None:
    """Write the log to `stream`, or to standard error, in place of whatever was set up before.

    `format` is `console` for people or `json` for programs; if left out, `console` on a terminal and `json`
    elsewhere. `level` is the least that is written of this project; other packages tell warnings at least.
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


def bind(**fields: object) -> None:
    """Add these fields to every line that this task logs from now on, and the tasks that it starts."""
    structlog.contextvars.bind_contextvars(**fields)


def _formatter(format: str, *, colors: bool) -> logging.Formatter:
    is_json = format == "json"
    before: Sequence[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(
            fmt="iso" if is_json else "%Y-%m-%d %H:%M:%S", utc=is_json, key="timestamp"
        ),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=_json() if is_json else _console(colors),
    )


def _json() -> Sequence[Processor]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # As text, without the values of local variables: they may be secrets.
        structlog.processors.format_exc_info,
        _in_order,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _console(colors: bool) -> Sequence[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=0,
        # The default prints the values of local variables, which may be secrets.
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_nothing, renderer]


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put what every line has first."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event") if name in event}
    return {**first, **event}


def _without_nothing(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leave out fields without a value, which only take room on a screen."""
    return {name: value for name, value in event.items() if value is not None and value != []}


def _dumps(event: Mapping[str, Any], **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
