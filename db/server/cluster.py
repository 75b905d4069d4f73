"""The data folder: made in full beside its place and then renamed, so that a partial one is never seen."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from db.server.address import APPLICATION, DATABASE, OWNER, DatabaseUnavailable, user_name
from db.server.binaries import Binaries
from db.server.log import refused
from db.server.process import RunsAs, can_die_with_parent, spawn

SUPERUSER = "postgres"
INITDB_SECONDS = 300

# One statement a line, which is how a single-user backend reads. The owner may grant the application's role
# to others and act as it; nothing runs as a superuser later.
ROLES = f"""\
CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS
CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
GRANT {APPLICATION} TO {OWNER} WITH ADMIN OPTION
CREATE DATABASE {DATABASE} OWNER {OWNER}
"""


def check_cluster(data: Path, binaries: Binaries) -> None:
    """Check an existing data folder before anything is changed.

    Raises `DatabaseUnavailable` where it is another major version's, another user's, or not PostgreSQL's.
    """
    if not data.exists():
        return
    # The owner first: what is below the folder is only for the owner to read.
    owner = data.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise DatabaseUnavailable(
            f"{data} belongs to {user_name(owner)}; start as that user, "
            "or choose another folder with --data-dir."
        )
    if not is_made(data):
        return
    try:
        major = (data / "PG_VERSION").read_text().strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatabaseUnavailable(
            f"{data} is not a data folder of PostgreSQL; move it away, or choose another with --data-dir."
        ) from error
    if major != binaries.major:
        raise DatabaseUnavailable(
            f"{data} was made by PostgreSQL {major} and this is PostgreSQL {binaries.major}; dump it with "
            f"version {major} and restore it, or choose another folder with --data-dir."
        )
    if owner == 0:
        raise DatabaseUnavailable(
            f"{data} belongs to root, as which PostgreSQL does not run; "
            f"give it to another user: chown -R nobody '{data}'"
        )


def is_made(data: Path) -> bool:
    """Return whether there is anything in the data folder's place; an empty folder counts as nothing."""
    return data.exists() and not (data.is_dir() and not any(data.iterdir()))


def make_cluster(binaries: Binaries, data: Path, user: RunsAs, lock: int, *, durable: bool) -> None:
    """Make the data folder, its roles and its database.

    The caller holds the descriptor `lock`, and so do the programs started here: while an initdb of a killed
    process is still running, nobody else begins. Raises `DatabaseUnavailable`; then nothing is left of it.
    """
    draft = draft_of(data)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        user.own(draft)
        _initdb(binaries, draft, user, lock)
        _create_roles(binaries, draft, user, lock)
        if durable:
            _sync_files(binaries, draft, user, lock)
        draft.rename(data)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if durable:
        _sync(data.parent)


def draft_of(data: Path) -> Path:
    """Return the path of a data folder while it is being made."""
    return data.with_name(data.name + ".new")


def _initdb(binaries: Binaries, draft: Path, user: RunsAs, lock: int) -> None:
    argv: list[str | Path] = [binaries.initdb, "-D", draft, "-U", SUPERUSER]
    argv += ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-instructions"]
    argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # All of it is flushed to the disk once, at the end: waiting for each of a thousand files costs seconds.
    argv.append("--no-sync")
    code, output = _run(argv, draft, user, lock, b"")
    if code != 0:
        raise refused(draft.parent, output)


def _create_roles(binaries: Binaries, draft: Path, user: RunsAs, lock: int) -> None:
    argv: list[str | Path] = [binaries.postgres, "--single", "-D", draft, "-c", "fsync=off"]
    code, output = _run([*argv, "postgres"], draft, user, lock, ROLES.encode())
    # A single-user backend continues after an error and exits with success.
    if code != 0 or any(word in output for word in ("ERROR:", "FATAL:", "PANIC:")):
        raise refused(draft.parent, output.replace("ERROR: ", "FATAL: "))


def _sync_files(binaries: Binaries, draft: Path, user: RunsAs, lock: int) -> None:
    argv: list[str | Path] = [binaries.initdb, "--sync-only", "-D", draft]
    if sys.platform == "linux":
        argv.append("--sync-method=syncfs")
    code, output = _run(argv, draft, user, lock, b"")
    if code != 0:
        raise refused(draft.parent, output)


def _run(argv: list[str | Path], draft: Path, user: RunsAs, lock: int, text: bytes) -> tuple[int, str]:
    process = spawn(
        argv,
        user,
        [draft],
        dies_with_parent=can_die_with_parent(),
        keep=[lock],
        stdin=subprocess.PIPE,
    )
    try:
        output, _ = process.communicate(text, timeout=INITDB_SECONDS)
    except BaseException as error:
        # The whole session is killed: initdb has children that would go on writing into the folder.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise refused(draft.parent, f"it took more than {INITDB_SECONDS} seconds") from error
        raise
    return process.returncode, output.decode(errors="replace")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
