#!/usr/bin/env python3
"""Start Graphfolio with nothing but Python: `python3 run.py demo | serve | test | <any graphfolio command>`.

Creates `.venv` beside this file, installs the hash-pinned lock into it, and runs the command there. Both are
repeated only when the lock or the version of Python changes. Standard library only, and written so that a
Python too old to run Graphfolio can still read this file and say so.
"""

from __future__ import annotations

import hashlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Importing typing takes longer than all the rest of a later start.
    import subprocess
    from typing import IO

    Process = subprocess.Popen[bytes]

OLDEST = (3, 11)
NEWEST_TRIED = (3, 14)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
WINDOWS = os.name == "nt"
PROGRAMS = os.path.join(VENV, "Scripts" if WINDOWS else "bin")
PYTHON = os.path.join(PROGRAMS, "python.exe" if WINDOWS else "python")
VERSION = "{}.{}".format(*sys.version_info)
LOCK_FILE = os.path.join(VENV, "run.lock")
MADE = os.path.join(VENV, "run.made")
INSTALLING = os.path.join(VENV, "run.installing")
USAGE = """\
python3 run.py demo     start with real prices and a demo user
python3 run.py serve    start the server
python3 run.py test     run all checks and tests (with arguments, run only pytest with these arguments)
python3 run.py check    run the checks without the tests
python3 run.py bench    run the benchmark of trees (see bench/README.md)
python3 run.py COMMAND  run any other command; python3 run.py --help lists them"""


class Stop(Exception):
    """Why Graphfolio cannot be started: one line for the user."""


def main(arguments: list[str]) -> int:
    """Prepare `.venv` and run the command there. Return its exit code if it runs in a process of its own."""
    try:
        if sys.version_info[:2] < OLDEST:
            raise Stop(too_old(arguments))
        if not arguments:
            print(USAGE)
            return 2
        developing = arguments[0] in ("test", "check", "bench")
        prepare(["requirements.lock", "requirements-dev.lock"] if developing else ["requirements.lock"])
    except Stop as stop:
        print(f"run.py: {stop}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"run.py: {described(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    if arguments == ["test"]:
        # Three workers keep two cores busy: a good part of the tests is waiting.
        return run_all(checks(), ("pytest", [PYTHON, "-m", "pytest", "-n", "3"]))
    if arguments[0] == "test":
        os.chdir(ROOT)
        return hand_over([PYTHON, "-m", "pytest", *arguments[1:]])
    if arguments == ["check"]:
        return run_all(checks())
    if arguments[0] == "bench":
        os.chdir(ROOT)
        return hand_over([PYTHON, "-m", "bench", *arguments[1:]])
    return hand_over([PYTHON, os.path.join(ROOT, "graphfolio.py"), *arguments])


def too_old(arguments: list[str]) -> str:
    """Return the message for an old Python, with the newest one that is installed on this machine."""
    import shutil

    line = f"Graphfolio needs Python {OLDEST[0]}.{OLDEST[1]} or newer and this is {VERSION}; "
    for minor in range(NEWEST_TRIED[1], OLDEST[1] - 1, -1):
        if shutil.which(f"python3.{minor}"):
            return line + f"start it with: python3.{minor} run.py {' '.join(arguments)}".rstrip()
    return line + "install one and run this again with it"


def hand_over(command: list[str]) -> int:
    """Replace this process by `command`, so that signals reach it; on Windows, wait for it instead."""
    sys.stdout.flush()
    if WINDOWS:
        import subprocess

        return subprocess.call(command)
    os.execv(command[0], command)


def checks() -> list[tuple[str, list[str]]]:
    """Return the checks that need no database, each with its title."""
    return [
        ("ruff check", [PYTHON, "-m", "ruff", "check", "."]),
        ("ruff format --check", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        ("mypy", [PYTHON, "-m", "mypy"]),
        ("lint-imports", [os.path.join(PROGRAMS, "lint-imports")]),
    ]


def run_all(steps: list[tuple[str, list[str]]], longest: tuple[str, list[str]] | None = None) -> int:
    """Run every step even if others fail, print which ones failed, and return the exit code.

    The longest step runs beside the others from the start; its output is printed after theirs.
    """
    import subprocess

    failed, beside = [], None
    if longest is not None:
        beside = subprocess.Popen(longest[1], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for title, command in steps:
            print(f"\n=== {title}", flush=True)
            if subprocess.call(command, cwd=ROOT) != 0:
                failed.append(title)
        if longest is not None and beside is not None:
            print(f"\n=== {longest[0]}", flush=True)
            if forward(beside) != 0:
                failed.append(longest[0])
    except KeyboardInterrupt:
        if beside is not None:
            beside.kill()
        return 130
    print(f"\n=== {'failed: ' + ', '.join(failed) if failed else 'all passed'}", flush=True)
    return 1 if failed else 0


def forward(process: Process) -> int:
    """Print the output of the process until it ends, and return its exit code."""
    assert process.stdout is not None
    # In whatever pieces it arrives: pytest's dots show the progress within a line.
    while data := os.read(process.stdout.fileno(), 65536):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    return process.wait()


# What follows creates the virtual environment. In it, `run.made` says which Python it is for,
# `run.<lock>.stamp` which lock is installed, and `run.installing` that an installation was not completed.


def prepare(locks: list[str]) -> None:
    """Install every lock in `.venv`; quick if that has been done already."""
    if not current(locks):
        os.makedirs(VENV, exist_ok=True)
        foreign = os.path.exists(os.path.join(VENV, "pyvenv.cfg")) and not os.path.exists(LOCK_FILE)
        with open(LOCK_FILE, "a") as held:
            wait_for(held)
            # The process that held the lock before this one may have done everything.
            if not current(locks):
                make(held.fileno(), foreign)
                for lock in locks:
                    install(lock, held.fileno())


def current(locks: list[str]) -> bool:
    """Return whether `.venv` is made for this Python and every lock is installed in it."""
    if not os.path.exists(PYTHON) or read(MADE) != VERSION or os.path.exists(INSTALLING):
        return False
    return all(read(stamp(lock)) == fingerprint(lock) for lock in locks)


def stamp(lock: str) -> str:
    """Return the path of the file that says which state of `lock` is installed."""
    return os.path.join(VENV, f"run.{lock}.stamp")


def fingerprint(lock: str) -> str:
    """Return the hash of `lock`. Raises Stop if there is no such file."""
    try:
        with open(os.path.join(ROOT, lock), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        raise Stop(f"{lock} is missing beside run.py; restore it with: git checkout {lock}") from None


def read(path: str) -> str | None:
    """Return the content of the file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def write(path: str, text: str) -> None:
    """Write the file completely or not at all."""
    draft = path + ".new"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)


def wait_for(held: IO[str]) -> None:
    """Take the lock on an open file; say so once if another run.py holds it."""
    from time import sleep

    waited = False
    while not take(held):
        if not waited:
            print("Waiting for another run.py that is installing.", file=sys.stderr, flush=True)
        waited = True
        sleep(0.1)


def take(held: IO[str]) -> bool:
    """Take the lock if it is free, and return whether it was.

    The system releases it when the process ends, however it ends.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    else:
        import fcntl

        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def make(lock: int, foreign: bool) -> None:
    """Create `.venv` if there is none for this Python or an installation was not completed."""
    if os.path.exists(PYTHON) and read(MADE) == VERSION and not os.path.exists(INSTALLING):
        return
    if foreign and adopt():
        return
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Stop(f"this Python has no venv module; {how_to_get_venv()}") from None
    import shutil

    for name in os.listdir(VENV):
        path = os.path.join(VENV, name)
        if path == LOCK_FILE:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    code, output = run("Creating .venv", [sys.executable, "-I", "-m", "venv", VENV], lock)
    if code != 0:
        # venv does not say why its ensurepip failed; a full disk is the likely reason.
        if shutil.disk_usage(VENV).free < 50_000_000:
            output += "No space left on device"
        raise Stop(no_space(output) or f"Python could not create .venv: {last(output)}")
    write(MADE, VERSION)


def adopt() -> bool:
    """Use a `.venv` that something else created for this Python; never remove one that is for another."""
    import subprocess

    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        version = subprocess.run(
            [PYTHON, "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout.decode()
    except OSError:
        version = ""
    if version.strip() != VERSION:
        os.unlink(LOCK_FILE)
        raise Stop(
            f".venv was created by something else and has no pip for Python {VERSION}; "
            f"remove it and run this again: rm -r '{VENV}'"
        )
    write(MADE, VERSION)
    return True


def how_to_get_venv() -> str:
    """Return how to install the venv module."""
    if os.path.exists("/usr/bin/apt"):
        return f"install it with: {'' if os.geteuid() == 0 else 'sudo '}apt install python3-venv"
    return "install your system's package for it (python3-venv, or python3 itself)"


def install(lock: str, held: int) -> None:
    """Install one lock, unless it is installed already."""
    wanted = fingerprint(lock)
    if read(stamp(lock)) == wanted:
        return
    write(INSTALLING, lock)
    command = [PYTHON, "-I", "-m", "pip", "install", "--require-hashes", "-r", os.path.join(ROOT, lock)]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    # Most of what is installed is never imported, and compiling it takes half of the time.
    command.append("--no-compile")
    code, output = run(f"Installing {lock}", command, held)
    if code != 0:
        # While pip only collects it changes nothing: what was installed before is still complete.
        if "Installing collected packages" not in output:
            os.unlink(INSTALLING)
        raise Stop(explained(output))
    write(stamp(lock), wanted)
    os.unlink(INSTALLING)


def explained(output: str) -> str:
    """Return what pip printed as one line."""
    full = no_space(output)
    if full:
        return full
    signs = ("from versions: none", "connection broken", "Failed to establish", "timed out", "ProxyError")
    if any(sign in output for sign in signs):
        return f"the package index cannot be reached; check the network and try again. pip: {last(output)}"
    hint = ""
    if sys.version_info[:2] > NEWEST_TRIED:
        hint = f" (Python {VERSION} has not been tried; {NEWEST_TRIED[0]}.{NEWEST_TRIED[1]} works)"
    return f"pip could not install: {last(output)}{hint}"


def last(output: str) -> str:
    """Return the last error in `output`, or its last line, without passwords in URLs."""
    import re

    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line[6:].strip() for line in lines if line.startswith("ERROR:")]
    text = (errors or lines or ["no message"])[-1]
    return re.sub(r"//[^/@\s]+@", "//", text)


def no_space(output: str) -> str | None:
    """Return the message for a full disk, or None if it is not full."""
    if "No space left on device" in output or "Errno 28" in output:
        return f"the disk that holds {ROOT} is full; free about 1 GB and run this again"
    return None


def described(error: OSError) -> str:
    """Return an error of the operating system as one line."""
    return no_space(str(error)) or f"{error.filename or VENV} cannot be used ({error.strerror or error})"


def run(title: str, command: list[str], lock: int) -> tuple[int, str]:
    """Run a command behind one line of progress, and return its exit code and what it printed.

    It inherits the lock, so that another run.py waits for it even if this one is killed.
    """
    import subprocess
    import threading
    from time import monotonic

    # These settings would put the packages somewhere else than into .venv.
    misleading = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if name not in misleading},
        pass_fds=() if WINDOWS else (lock,),
    )
    lines: list[str] = []

    def collect() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.decode("utf-8", "replace"))

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    began = monotonic()
    screen = sys.stderr.isatty()
    if not screen:
        print(f"{title} ...", file=sys.stderr, flush=True)
    try:
        while reader.is_alive():
            if screen:
                line = f"{title}: {step(lines)} ({monotonic() - began:.0f} s)"
                print(f"\r\x1b[K{line[:100]}", end="", file=sys.stderr, flush=True)
            reader.join(0.5)
        return process.wait(), "".join(lines)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        if screen:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def step(lines: list[str]) -> str:
    """Return what pip is doing, judging by what it printed last."""
    for line in reversed(lines):
        words = line.split()
        if words[:1] == ["Collecting"]:
            return f"collecting {words[1].split('==')[0]}"
        if words[:3] == ["Installing", "collected", "packages:"]:
            return f"writing {len(words) - 3} packages"
    return "starting"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
