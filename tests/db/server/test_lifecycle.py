"""Servers live exactly as long as the process that started them, whatever happens to it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.db.server.conftest import copied
from tests.db.server.holding import Holder, alive, ask, holding
from tests.waiting import PATIENCE, soon

WRITE = "CREATE TABLE kept AS SELECT 42 AS answer"
READ = "SELECT answer FROM kept"


@pytest.fixture(scope="module")
def made(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all of these: whatever one of them left, the next has to start on."""
    return copied(template, tmp_path_factory.mktemp("lifecycle") / "data dir")


@pytest.mark.parametrize("how", ["kernel", "watcher", "thread"])
def test_a_killed_parent_takes_the_server_with_it(made: Path, how: str) -> None:
    with holding(made, how, "durable") as holder:
        ask(holder.owner_url, "DROP TABLE IF EXISTS kept")
        ask(holder.owner_url, WRITE)
        postmaster, sockets = holder.postmaster, holder.sockets
        assert alive(postmaster)
        holder.kill()
        assert soon(lambda: not alive(postmaster))
    with holding(made, how) as holder:
        assert ask(holder.owner_url, READ) == [(42,)]
        assert not sockets.exists()
        assert holder.stop() == 0


def test_a_start_right_after_the_kill_waits_for_the_old_server(made: Path) -> None:
    with holding(made) as first:
        old = first.postmaster
        first.kill()
        with holding(made) as second:
            assert second.postmaster != old
            assert ask(second.url, "SELECT 1") == [(1,)]


def test_a_second_process_shares_the_server_and_never_stops_it(made: Path) -> None:
    with holding(made) as first:
        postmaster = first.postmaster
        with holding(made) as second:
            assert second.url == first.url
            assert second.stop() == 0
        assert first.postmaster == postmaster
        with holding(made) as third:
            assert third.url == first.url
            third.kill()
        assert ask(first.url, "SELECT 1") == [(1,)]
        assert first.stop() == 0
        assert not alive(postmaster)


def test_two_at_once_on_an_empty_folder_make_one_server(tmp_path: Path) -> None:
    with holding(tmp_path) as one, holding(tmp_path) as other:
        assert one.url == other.url
        assert ask(one.url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("how", ["kernel", "watcher"])
def test_a_killed_server_is_started_again_at_the_same_address(made: Path, how: str) -> None:
    with holding(made, how, "durable") as first:
        ask(first.owner_url, "DROP TABLE IF EXISTS kept")
        ask(first.owner_url, WRITE)
        killed, sockets = first.postmaster, first.sockets
        with holding(made) as sharing:
            assert sharing.url == first.url
            with busy(first):
                os.kill(killed, signal.SIGKILL)
                assert soon(lambda: answers(first))
            assert ask(sharing.owner_url, READ) == [(42,)]
        last = first.postmaster
        assert last != killed
        assert first.stop() == 0
        assert not alive(last)
        assert not sockets.exists()


def test_a_process_that_ends_does_not_harm_a_server_that_another_one_started_meanwhile(made: Path) -> None:
    """Whether the first process or the second one starts it: the lock lets one of them."""
    with holding(made, "durable") as first:
        ask(first.owner_url, "DROP TABLE IF EXISTS kept")
        ask(first.owner_url, WRITE)
        os.kill(first.process.pid, signal.SIGSTOP)
        os.kill(first.postmaster, signal.SIGKILL)
        with holding(made) as second:
            assert ask(second.owner_url, READ) == [(42,)]
            assert second.url != first.url
            # The first one finds it, and reaches it at its own address.
            os.kill(first.process.pid, signal.SIGCONT)
            assert soon(lambda: answers(first))
            assert first.sockets.joinpath(".s.PGSQL.5432").is_symlink()
            # When that server ends, it starts one of its own again.
            assert second.stop() == 0
            assert soon(lambda: answers(first))
            assert first.sockets.joinpath(".s.PGSQL.5432").is_socket()
            assert not first.sockets.joinpath(".s.PGSQL.5432").is_symlink()
        with holding(made) as third:
            assert third.url == first.url
        assert first.stop() == 0


@contextmanager
def busy(holder: Holder) -> Iterator[None]:
    """A backend that computes for minutes, and so does not notice that its postmaster is gone."""

    def compute() -> None:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            ask(holder.superuser_url, "SELECT count(*) FROM generate_series(1, 10000000000)")

    def computes() -> bool:
        active = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT count(*)%'"
        return bool(ask(holder.superuser_url, active))

    thread = threading.Thread(target=compute)
    thread.start()
    assert soon(computes)
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


def answers(holder: Holder) -> bool:
    """Whether the server of a process can be asked."""
    try:
        return ask(holder.owner_url, READ) == [(42,)]
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def test_an_old_process_id_that_another_program_has_now(made: Path) -> None:
    with holding(made) as first:
        postmaster, user = first.postmaster, first.data.stat()
        os.kill(postmaster, signal.SIGSTOP)
        first.kill()
        os.kill(postmaster, signal.SIGKILL)
        pid_file = first.data / "postmaster.pid"
    other = {"user": user.st_uid, "group": user.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **other) as stranger:  # type: ignore[call-overload]
        pid_file.write_text(pid_file.read_text().replace(str(postmaster), str(stranger.pid), 1))
        with holding(made) as second:
            assert ask(second.url, "SELECT 1") == [(1,)]
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_nobody_told_to_stop_is_told_by_the_next_start(made: Path) -> None:
    with holding(made, "watcher") as first:
        old = first.postmaster
        parent = first.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for watcher in {int(child) for child in children} - {old}:
            os.kill(watcher, signal.SIGKILL)
        first.kill()
        time.sleep(0.2)
        assert alive(old)
        with holding(made) as second:
            assert second.postmaster != old
            assert not alive(old)
            assert ask(second.url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("delay", [0.05, 0.2])
def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_half_made(
    tmp_path: Path, delay: float
) -> None:
    draft = tmp_path / "postgres.new"
    with holding(tmp_path) as first:
        assert soon(draft.exists)
        time.sleep(delay)
        first.kill()
        assert draft.exists()
        assert not (tmp_path / "postgres").exists()
    with holding(tmp_path) as second:
        assert ask(second.url, "SELECT 1") == [(1,)]
        assert not draft.exists()
