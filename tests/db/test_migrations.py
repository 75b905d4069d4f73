"""Migrations: from nothing to the newest schema and back, and the same schema whichever way it is made."""

import asyncio
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from pytest_alembic import MigrationContext, create_alembic_fixture, tests

from db import schema
from db.schema import SchemaMismatch, is_current, offline_sql, upgrade
from tests.conftest import Postgres, copy_of, execute
from tests.db.catalog import catalog
from tests.market_rows import rows


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """A database with nothing in it, for the role that migrates."""
    with copy_of(postgres, "template0") as name:
        yield postgres.url("graphfolio_owner", name)


@pytest.fixture
def alembic_engine(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine: the migrations' own entry connects, as it does for a person who runs Alembic by hand."""
    monkeypatch.setenv("GRAPHFOLIO_OWNER_DATABASE_URL", empty_url)


runner = create_alembic_fixture({"file": str(schema.INI)})


@pytest.mark.parametrize("name", tests.__all__)
def test_alembic(runner: MigrationContext, name: str) -> None:
    getattr(tests, name)(runner)


def test_down_to_nothing_and_up_again(empty_url: str, owner_url: str) -> None:
    fresh = catalog(owner_url)
    assert len(fresh) > 400
    assert upgrade(empty_url)
    assert catalog(empty_url) == fresh
    assert not upgrade(empty_url)
    command.downgrade(schema._config(empty_url), "base")
    assert {name for name in catalog(empty_url) if "alembic_version" not in name} == set()
    assert upgrade(empty_url)
    assert catalog(empty_url) == fresh
    assert is_current(empty_url)


def test_the_offline_sql_makes_the_same_schema(
    empty_url: str, owner_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    offline_sql()
    asyncio.run(execute(empty_url, capsys.readouterr().out))
    assert catalog(empty_url) == catalog(owner_url)
    assert is_current(empty_url)


def test_a_schema_newer_than_the_code_is_left_alone(empty_url: str) -> None:
    upgrade(empty_url)
    asyncio.run(execute(empty_url, "UPDATE alembic_version SET version_num = '9999'"))
    before = catalog(empty_url)
    with pytest.raises(SchemaMismatch) as refused:
        upgrade(empty_url)
    assert str(refused.value).startswith("The database's schema (9999) is newer than this Graphfolio: ")
    assert "\n" not in str(refused.value)
    assert catalog(empty_url) == before
    assert rows(empty_url, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_the_newest_revision_is_alembics_head() -> None:
    """Revisions are read from file names, which spares a start Alembic's import."""
    assert schema.revisions()[-1] == ScriptDirectory(str(schema.INI.parent / "migrations")).get_current_head()


@pytest.mark.parametrize("revision", ["0001", "0022"])
def test_a_database_of_before_the_first_release_is_told_so(empty_url: str, revision: str) -> None:
    """It is left as it is, also by who would bring any other to the newest schema."""
    upgrade(empty_url)
    asyncio.run(execute(empty_url, f"UPDATE alembic_version SET version_num = '{revision}'"))
    for look in (upgrade, is_current):
        with pytest.raises(SchemaMismatch) as refused:
            look(empty_url)
        assert str(refused.value) == (
            "The database was made by a Graphfolio from before the first release "
            f"(schema {revision}): export its transactions with that version, and import them with this one "
            "into a new database."
        )
    assert rows(empty_url, "SELECT version_num FROM alembic_version") == [(revision,)]


def test_no_number_from_before_the_first_release_is_used_again() -> None:
    assert not schema._UNRELEASED & set(schema.revisions())
