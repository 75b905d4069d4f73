"""What the log has of work that fails again and again: one line when that begins, one when it is over."""

import asyncio
import logging

import asyncpg
import pytest

import db.jobs.scheduler
import db.sessions  # noqa: F401
from db import outages
from db.health import DatabaseDown
from db.outages import Faults, Outage

logger = logging.getLogger("graphfolio.tests")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, bool]]:
    """Each line, and whether a traceback came with it."""
    found = [(record.getMessage(), bool(record.exc_info)) for record in caplog.records]
    caplog.clear()
    return found


def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logger, "Reading")
    tries = 0

    def attempt(error: Exception | None) -> None:
        nonlocal tries
        with outage.survived():
            tries += 1
            if error is not None:
                raise error

    for error in (None, ConnectionRefusedError("no\nanswer"), TimeoutError(), TimeoutError(), None, None):
        attempt(error)
    assert lines(caplog) == [
        ("Reading does not work: ConnectionRefusedError: no", False),
        ("Reading works again.", False),
    ]
    attempt(TimeoutError())
    assert lines(caplog) == [("Reading does not work: TimeoutError", False)]
    attempt(None)
    caplog.clear()
    assert tries == 8


def test_a_surprise_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """It ends the work, so that its supervisor sees it; where the work goes on, it is told in full."""
    outage = Outage(logger, "Reading")
    surprise = ExceptionGroup("both", [OSError("gone"), KeyError("x")])
    for error in (KeyError("x"), surprise):
        with pytest.raises(type(error)), outage.survived():
            raise error
    with outage.survived():
        raise ExceptionGroup("both", [OSError("gone"), OSError("gone")])
    assert lines(caplog) == [("Reading does not work: ExceptionGroup: both (2 sub-exceptions)", False)]
    outage.over()
    caplog.clear()
    outage.began(KeyError("x"))
    assert lines(caplog) == [("Reading does not work: KeyError: 'x'", True)]


def test_being_told_to_stop_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logger, "Reading")
    with pytest.raises(asyncio.CancelledError), outage.survived():
        raise asyncio.CancelledError
    assert lines(caplog) == []


async def test_a_surprise_ends_work_that_does_not_end(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError), Outage(logger, "Hearing").lasting():
        raise KeyError("x")
    assert lines(caplog) == []


def test_a_fault_is_told_once_in_ten_minutes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    monkeypatch.setattr(outages, "MOST_FAULTS", 2)
    faults = Faults(logger)

    def met(key: str) -> list[tuple[str, bool]]:
        faults.met(KeyError("x"), "Order %s failed.", key)
        return lines(caplog)

    first = ("Order 1 failed.", True)
    assert met("1") == [first]
    assert met("2") == [("Order 2 failed.", True)]
    clock += 599
    assert met("1") == met("1") == []
    clock += 1
    assert met("1") == [("Order 1 failed. It failed 3 times before.", True)]
    # Only so many are remembered.
    met("3")
    met("4")
    assert met("1") == [first]


async def test_work_that_does_not_end_says_itself_when_it_works(caplog: pytest.LogCaptureFixture) -> None:
    """Neither its beginning nor its going on is a sign: it may only wait for something to do."""
    outage = Outage(logger, "Hearing")
    for _ in range(3):
        with outage.lasting():
            raise OSError("gone")
    assert lines(caplog) == [("Hearing does not work: OSError: gone", False)]
    with outage.lasting():
        pass
    assert (lines(caplog), outage.is_on) == ([], True)
    with outage.lasting():
        outage.over()
        outage.over()
        raise OSError("gone again")
    assert lines(caplog) == [
        ("Hearing works again.", False),
        ("Hearing does not work: OSError: gone again", False),
    ]


@pytest.mark.parametrize("package", ["asyncpg.pool", "pgqueuer"])
def test_packages_add_no_line_to_an_outage(caplog: pytest.LogCaptureFixture, package: str) -> None:
    """Anything else that they log is a line."""
    theirs = logging.getLogger(package)
    gone = (DatabaseDown("gone"), OSError("gone"), asyncpg.CannotConnectNowError("starting"))
    for error in (*gone, KeyError("x")):
        theirs.warning("Failed.", exc_info=error)
    theirs.warning("Slow.")
    assert lines(caplog) == [("Failed.", True), ("Slow.", False)]
