"""The embedded server as it stands: its roles, its socket, its speed."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.server import database
from tests.db.server.holding import Holder, ask, holding
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    folder = tmp_path_factory.mktemp("with some spaces") / "data dir"
    # Somebody's settings for their own PostgreSQL must not bend ours.
    stray = {"PGPORT": "6543", "PGDATA": "/nowhere", "PGHOST": "elsewhere", "PGUSER": "root", "LC_ALL": "C"}
    with holding(folder, environment=stray) as holder:
        yield holder


def test_roles_have_exactly_the_rights_they_need(held: Holder) -> None:
    roles = ask(
        held.superuser_url,
        "SELECT rolname::text, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
        " rolreplication FROM pg_roles WHERE rolname LIKE 'graphfolio%' ORDER BY rolname",
    )
    assert roles == [
        ("graphfolio_app", True, False, False, False, False, False),
        ("graphfolio_owner", True, False, False, True, False, False),
    ]


def test_the_owner_owns_the_database_and_hands_out_the_application_role(held: Holder) -> None:
    assert ask(
        held.owner_url,
        "SELECT current_user::text, pg_get_userbyid(datdba)::text FROM pg_database"
        " WHERE datname = current_database()",
    ) == [("graphfolio_owner", "graphfolio_owner")]
    assert ask(
        held.owner_url,
        "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members"
        " WHERE roleid = 'graphfolio_app'::regrole AND admin_option AND member <> 10",
    ) == [("graphfolio_app", "graphfolio_owner", True)]
    assert ask(held.owner_url, "SET ROLE graphfolio_app") == []


def test_the_application_owns_nothing_and_creates_nothing(held: Holder) -> None:
    assert ask(held.url, "SELECT current_user::text") == [("graphfolio_app",)]
    assert ask(
        held.superuser_url,
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'graphfolio_app'::regrole AND deptype = 'o'",
    ) == [(0,)]
    assert ask(
        held.url,
        "SELECT has_schema_privilege('public', 'CREATE'),"
        " has_database_privilege(current_database(), 'CREATE')",
    ) == [(False, False)]


def test_the_locale_is_built_in(held: Holder) -> None:
    assert ask(
        held.url,
        "SELECT datlocprovider::text, datlocale, pg_encoding_to_char(encoding)::text,"
        " current_setting('TimeZone')"
        " FROM pg_database WHERE datname = current_database()",
    ) == [("b", "C.UTF-8", "UTF8", "UTC")]


def test_the_socket_is_private_and_the_only_way_in(held: Holder) -> None:
    assert stat.S_IMODE(held.sockets.stat().st_mode) == 0o700
    assert not held.sockets.is_relative_to(held.data.parent)
    assert len(str(held.sockets / ".s.PGSQL.5432.lock")) < 100
    assert ask(held.superuser_url, "SHOW listen_addresses") == [("",)]
    assert sorted(path.name for path in held.data.parent.iterdir()) == [
        "postgres",
        "postgres.lock",
        "postgres.log",
        "postgres.running",
    ]


def test_starts_are_quick_and_leave_no_socket(tmp_path: Path) -> None:
    # The best of a few, and on a machine that does nothing else 1.2 and 0.2 seconds: a busy one takes longer,
    # but never as long for a later start as for the first one, which makes everything.
    first: list[float] = []
    later: list[float] = []
    for folder in ("one", "two", "one", "two", "one"):
        again = (tmp_path / folder).exists()
        with holding(tmp_path / folder, "durable") as holder:
            (later if again else first).append(holder.told["seconds"])
            sockets = holder.sockets
            assert ask(holder.superuser_url, "SHOW fsync") == [("on",)]
            assert holder.stop() == 0
        assert not sockets.exists()
    assert min(first) < PATIENCE
    assert min(later) < min(first) / 2


def test_the_public_door_gives_both_addresses(made: Path) -> None:
    with database(None, made, durable=False) as found:
        assert found.embedded
        assert ask(found.url, "SELECT current_user::text") == [("graphfolio_app",)]
        assert ask(found.owner_url, "SELECT current_user::text") == [("graphfolio_owner",)]
        assert ask(found.owner_url, "SHOW fsync") == [("off",)]
        # The same folder again, in the same process, is the same server.
        with database(None, made) as again:
            assert again == found
        assert ask(found.url, "SELECT 1") == [(1,)]
