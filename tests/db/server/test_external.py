"""Somebody's own PostgreSQL: let in, or told in one line why not; never changed, no password shown."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.server import Database, DatabaseUnavailable, database
from tests.db.server.conftest import copied
from tests.db.server.holding import Holder, ask, holding
from tests.postgres15 import INSTALLED, postgres15
from tests.waiting import PATIENCE

SECRET = "s3cr3t"


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """A server that asks the application, and nobody else, for a password."""
    with holding(copied(template, tmp_path_factory.mktemp("external") / "d")) as holder:
        ask(holder.superuser_url, f"ALTER ROLE graphfolio_app PASSWORD '{SECRET}'")
        rules = "local all graphfolio_app scram-sha-256\nlocal all all trust\n"
        (holder.data / "pg_hba.conf").write_text(rules)
        ask(holder.superuser_url, "SELECT pg_reload_conf()")
        yield holder


def domain_error(url: str) -> str:
    """The line for an address that must not do."""
    with pytest.raises(DatabaseUnavailable) as caught, database(url, Path("/nowhere")):
        pass
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


def test_a_good_address_is_handed_out_as_it_is(server: Holder, tmp_path: Path) -> None:
    url = server.url.replace("graphfolio_app@", f"graphfolio_app:{SECRET}@")
    with database(url, tmp_path / "d") as found:
        assert found == Database(url=url, owner_url=url, embedded=False)
    with database(url, tmp_path / "d", owner_url=server.owner_url) as found:
        assert found == Database(url=url, owner_url=server.owner_url, embedded=False)
    with database(url.replace("postgresql:", "postgresql+asyncpg:"), tmp_path / "d") as found:
        assert found.url == url
    assert list(tmp_path.iterdir()) == []


async def test_a_caller_with_a_running_loop(server: Holder) -> None:
    with database(server.owner_url, Path("/nowhere")) as found:
        assert found.url == server.owner_url


def test_a_wrong_or_missing_password(server: Holder) -> None:
    wrong = server.url.replace("graphfolio_app@", f"graphfolio_app:{SECRET}x@")
    assert domain_error(wrong) == (
        f"PostgreSQL at {server.sockets} does not let graphfolio_app in; check the user and the password."
    )
    assert domain_error(server.url) == (
        f"PostgreSQL at {server.sockets} does not let graphfolio_app in; check the user and the password."
    )


def test_an_owner_that_is_not_let_in(server: Holder) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not let nobody_known in"):
        with database(
            server.owner_url,
            Path("/nowhere"),
            owner_url=server.owner_url.replace("graphfolio_owner", "nobody_known"),
        ):
            pass


def test_a_database_that_is_not_there(server: Holder) -> None:
    assert domain_error(server.owner_url.replace("/graphfolio?", "/graphfoliose?")) == (
        f"PostgreSQL at {server.sockets} has no database graphfoliose; create it with: createdb graphfoliose"
    )


@pytest.mark.parametrize(
    "url", ["mysql://u:s3cr3t@h/d", "s3cr3t", "host=localhost password=s3cr3t", "sqlite:///x"]
)
def test_what_is_no_postgresql_address(url: str) -> None:
    assert domain_error(url) == (
        "DATABASE_URL is not a PostgreSQL address; write it as postgresql://user:password@host:5432/database."
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@s3cr3t@localhost/d",
        "postgresql://u:12/s3cr3t@localhost/d",
        "postgresql://u:p#s3cr3t@localhost/d",
        "postgresql://u:p?s3cr3t@localhost/d",
        "postgresql://u:s3cr3t@localhost:port/d",
        "postgresql://u:s3cr3t@localhost:99999/d",
        "postgresql://u:s3cr3t@[::1/d",
        "postgresql://u:s3cr3t@localhost/d?sslmode=sometimes",
    ],
)
def test_an_address_that_cannot_be_read_shows_no_piece_of_it(url: str) -> None:
    line = domain_error(url)
    assert line.endswith(
        "cannot be read; write it as postgresql://user:password@host:5432/database, with special characters "
        "of the password percent-encoded (@ as %40, / as %2F, # as %23)."
    )


def test_a_port_where_nothing_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert domain_error(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d") == (
        f"Nothing listens at 127.0.0.1:{port}; is PostgreSQL running there?"
    )


def test_several_hosts_of_which_none_listens() -> None:
    line = domain_error(f"postgresql://u:{SECRET}@127.0.0.1:1,[::1]:2/d")
    assert line.startswith("Nothing listens at 127.0.0.1:1,[::1]:2") or "[::1]:2 cannot be reached (" in line


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    assert domain_error(f"postgresql://u:{SECRET}@/d?host={tmp_path}") == (
        f"Nothing listens at {tmp_path}; is PostgreSQL running there?"
    )


def test_a_host_that_is_not_known() -> None:
    # The name ends with the top-level domain that is reserved for never being known.
    assert (
        domain_error(f"postgresql://u:{SECRET}@db.invalid/d")
        == "The host of the database, db.invalid, is not known."
    )


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.server.external.CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert domain_error(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d") == (
            f"No PostgreSQL answered at 127.0.0.1:{port} within 0.3 seconds; "
            "check the host, the port and the firewall."
        )


def test_a_server_that_speaks_something_else() -> None:
    with _answering(b"220 ready for mail\r\n", hangs_up=True) as port:
        line = domain_error(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d?sslmode=disable")
        assert line == f"What listens at 127.0.0.1:{port} hung up; is it PostgreSQL?"


def test_a_server_that_is_too_old() -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4) + body

    greeting = message(b"R", (0).to_bytes(4)) + message(b"S", b"server_version\x0014.9\x00")
    greeting += message(b"K", bytes(8)) + message(b"Z", b"I")
    with _answering(greeting) as port:
        assert domain_error(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d?sslmode=disable") == (
            f"PostgreSQL at 127.0.0.1:{port} is version 14; Graphfolio needs 15 or newer."
        )


@pytest.mark.skipif(not INSTALLED, reason="PostgreSQL 15 is not installed")
def test_the_oldest_supported_version() -> None:
    with postgres15() as url, database(url, Path("/nowhere")) as found:
        assert found.url == url
        assert ask(found.url, "SELECT current_setting('server_version_num')::int / 10000") == [(15,)]


class _answering:
    """A server that says one thing to whoever comes, for what no real PostgreSQL here would say."""

    def __init__(self, answer: bytes, *, hangs_up: bool = False) -> None:
        self.answer = answer
        self.hangs_up = hangs_up
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(self.answer)
            # Until the other side hangs up, so that the answer is not lost in a reset.
            while not self.hangs_up and connection.recv(4096):
                pass

    def __enter__(self) -> int:
        self.thread.start()
        return int(self.listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.thread.join(PATIENCE)
        self.listener.close()
