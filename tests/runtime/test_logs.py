"""How a line of the log looks, to a person and to a program; this project's, and other packages' too."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from runtime.logs import bind, configure_logs, unbind

logger = logging.getLogger("graphfolio.tests")
FIELDS = {"operation": "Tree", "cost": 12, "codes": [], "user_id": None, "duration_ms": 1.5}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the logging of the tests as it was."""
    root, ours = logging.getLogger(), logging.getLogger("graphfolio")
    before = root.level, list(root.handlers), ours.level
    collected = logging.logThreads, logging.logProcesses, logging.logMultiprocessing
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    ours.setLevel(before[2])
    logging.captureWarnings(False)
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = collected
    unbind()


def written(*, format: str, level: str = "info", terminal: bool = False) -> io.StringIO:
    """A log that was just set up."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    configure_logs(format, level, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """The lines of a log for programs."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    secret = "a secret that is in no line of the code"[2:8]
    raise KeyError(len(secret))


def test_for_programs() -> None:
    stream = written(format="json")
    bind(request_id="request-1")
    logger.info("operation", extra=FIELDS)
    logging.getLogger("asyncio").warning("Executing took 2 seconds.")
    try:
        fail()
    except KeyError:
        logger.exception("Request %s failed.", "request-1")
    first, second, third = lines(stream)
    assert list(first)[:4] == ["timestamp", "level", "logger", "event"]
    assert str(first.pop("timestamp")).endswith("Z")
    assert first == {
        "level": "info",
        "logger": "graphfolio.tests",
        "event": "operation",
        "request_id": "request-1",
        **FIELDS,
    }
    assert (second["logger"], second["level"]) == ("asyncio", "warning")
    assert second["event"] == "Executing took 2 seconds."
    assert third["event"] == "Request request-1 failed."
    trace = str(third["exception"])
    assert trace.startswith("Traceback (most recent call last):\n")
    assert trace.endswith("\nKeyError: 6")
    assert "locals" not in trace
    assert "secret" not in trace.replace("len(secret)", "")


def test_for_people() -> None:
    stream = written(format="console")
    logger.info("operation", extra=FIELDS)
    try:
        fail()
    except KeyError:
        logger.exception("Request failed.")
    first, second, *trace = stream.getvalue().splitlines()
    # A date, a time, and what has a value.
    assert first[19:] == " [info     ] operation [graphfolio.tests] operation=Tree cost=12 duration_ms=1.5"
    assert second[19:] == " [error    ] Request failed. [graphfolio.tests]"
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "KeyError: 6")
    assert not any("a secret" in line for line in trace)


@pytest.mark.parametrize(
    ("format", "terminal", "is_json"),
    [("", True, False), ("", False, True), ("json", True, True), ("console", False, False)],
)
def test_a_terminal_is_for_people(format: str, terminal: bool, is_json: bool) -> None:
    stream = written(format=format, terminal=terminal)
    logger.warning("It goes on.")
    assert stream.getvalue().startswith("{") is is_json


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, no_color, expected in ((True, "", True), (True, "1", False), (False, "", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        stream = written(format="console", terminal=terminal)
        logger.warning("It goes on.")
        assert ("\x1b[" in stream.getvalue()) is expected


def test_levels() -> None:
    """Of other packages there are warnings at least, and none that is below the level chosen."""
    other = logging.getLogger("another.package")
    for level, expected in (
        ("debug", ["ours debug", "ours info", "ours error", "theirs warning", "theirs error"]),
        ("info", ["ours info", "ours error", "theirs warning", "theirs error"]),
        ("error", ["ours error", "theirs error"]),
    ):
        stream = written(format="json", level=level)
        logger.debug("ours debug")
        logger.info("ours info")
        logger.error("ours error")
        other.info("theirs info")
        other.warning("theirs warning")
        other.error("theirs error")
        assert [line["event"] for line in lines(stream)] == expected


def test_a_warning_of_python_is_a_line_too() -> None:
    stream = written(format="json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("this is going away", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "this is going away" in str(line["event"])
