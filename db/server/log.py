"""The output of PostgreSQL's programs, and the one line of it that a user needs."""

import os
from pathlib import Path

from db.server.address import DatabaseUnavailable, disk_full

LOG_BYTES = 8_000_000
NO_SPACE = ("No space left on device", "Disk quota exceeded")


def refused(folder: Path, output: str) -> DatabaseUnavailable:
    """Return the error for a program of PostgreSQL that gave up, from what it printed."""
    if any(sign in output for sign in NO_SPACE):
        return disk_full(folder)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL: " in line or "PANIC: " in line or "error: " in line]
    last = (telling or lines or ["it printed nothing"])[-1]
    for mark in ("FATAL: ", "PANIC: ", "error: "):
        last = last.partition(mark)[2].strip() or last
    return DatabaseUnavailable(f"The embedded PostgreSQL in {folder} does not start: {last}")


def open_log(log: Path) -> int:
    """Open the log for the server to append to."""
    # One older file is kept, so that a log cannot fill the disk over the years.
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def read_from(log: Path, begin: int) -> str:
    """Return what was logged after the first `begin` bytes."""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
