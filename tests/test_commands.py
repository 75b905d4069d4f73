"""What the command line checks by itself, without a database."""

import inspect
import io
import os
import socket
from pathlib import Path

import pytest

import graphfolio
from commands.opening import Stop
from commands.serving import check_free
from tests.commands import run_here, run_on
from tests.conftest import Postgres, copy_of

ON_WHAT_IS_THERE = {
    "verify": [],
    "migrate": ["--check"],
    "refresh-performance": [],
    "ticks": [__file__],
    "import-transactions": [__file__, "--user", "ada", "--portfolio", "Main"],
    "reverse-import": ["one", "--user", "ada"],
    "export-transactions": ["--user", "ada", "--portfolio", "Main"],
    "rename-symbol": ["ABC", "ABCD"],
    "withdraw-split": ["ABC", "2020-01-10", "2:1"],
    "grant-admin": ["ada"],
    "revoke-admin": ["ada"],
    "deactivate": ["ada"],
    "activate": ["ada"],
    "set-password": ["ada"],
    "rotate-keys": [],
}
MAY_BE_NEW = {"serve", "demo", "worker", "migrate", "load-prices", "import-prices", "export-schema"}


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Stop) as stop:
            check_free("127.0.0.1", port)
    assert str(stop.value) == (
        f"Port {port} of 127.0.0.1 is in use: stop the program that listens there, or choose another port "
        "with --port."
    )
    check_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine_and_none(host: str) -> None:
    with pytest.raises(Stop, match=rf"^Cannot listen on {host}, port 8000: .+\.$"):
        check_free(host, 8000)


def test_each_command_makes_a_database_or_needs_one() -> None:
    names = {command.__name__.replace("_", "-") for command in graphfolio.COMMANDS}
    assert {*ON_WHAT_IS_THERE, *MAY_BE_NEW} == names
    unsaid = {
        command.__name__
        for command in graphfolio.COMMANDS
        if command.__name__.replace("_", "-") in MAY_BE_NEW - {"migrate", "export-schema"}
        and "create=True" not in inspect.getsource(command)
    }
    assert unsaid == set()


@pytest.mark.parametrize("command", ON_WHAT_IS_THERE)
def test_a_mistyped_folder_is_said_and_stays_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    folder = tmp_path / "mistyped"
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    words = [command, *ON_WHAT_IS_THERE[command], "--data-dir", str(folder)]
    done = run_here(capfd, words, environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"graphfolio: There is no database in {folder}: give the right folder with --data-dir or "
        "GRAPHFOLIO_DATA_DIR, or the database's address with DATABASE_URL.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["verify"], ["migrate", "--check"], ["grant-admin", "ada"]])
def test_an_empty_database_is_said_and_stays_as_it_is(
    postgres: Postgres, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with copy_of(postgres, "template0") as name:
        for _ in range(2):
            done = run_on(capfd, postgres.url("graphfolio_owner", name), tmp_path, *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == (
                "graphfolio: The database is empty: `python3 run.py migrate` would set it up, and so would "
                "serve.\n"
            )
