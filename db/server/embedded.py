"""The embedded PostgreSQL: found running and shared, or started here and stopped at the end."""

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.server.address import (
    APPLICATION,
    OWNER,
    Database,
    DatabaseUnavailable,
    has_name,
    socket_url,
    unusable,
)
from db.server.binaries import OWN_SERVER, Binaries, find_binaries
from db.server.claim import Claim, open_lock, read_claim, running, starting, write_claim
from db.server.cluster import check_cluster, is_made, make_cluster
from db.server.keeper import Keeper
from db.server.process import RunsAs, Server, can_die_with_parent, start_server
from db.server.sockets import link_sockets, make_sockets, remake_sockets, remove_sockets


@contextmanager
def embedded_database(
    data_dir: Path, *, durable: bool = True, watcher: bool | None = None, create: bool = True
) -> Iterator[Database]:
    """Yield a server on `data_dir/postgres` for as long as the block lasts.

    If it ends meanwhile, it is started again at the same address. Where another process runs one already,
    that is shared and left running. `watcher` chooses how the server learns of this process's death: by a
    process that watches a pipe, or by the kernel (the default where the kernel can). With `create=False` the
    data must be there already. Raises `DatabaseUnavailable`.
    """
    if watcher is None:
        watcher = not can_die_with_parent()
    try:
        folder = data_dir.absolute()
        if not create and not is_made(folder / "postgres"):
            raise DatabaseUnavailable(
                f"There is no database in {folder}: give the right folder with --data-dir or "
                "GRAPHFOLIO_DATA_DIR, or the database's address with DATABASE_URL."
            )
        sockets, server = _share_or_start(folder, durable, watcher)
    except OSError as error:
        raise unusable(data_dir, error) from error
    keeper = None
    if server is not None:
        keeper = Keeper(server, lambda: _share_or_start(folder, durable, watcher, again=sockets)[1])
    try:
        yield Database(
            url=socket_url(APPLICATION, sockets), owner_url=socket_url(OWNER, sockets), embedded=True
        )
    finally:
        if keeper is not None:
            keeper.stop()
            remove_sockets(sockets)


def _share_or_start(
    folder: Path, durable: bool, watcher: bool, again: Path | None = None
) -> tuple[Path, Server | None]:
    """Return the folder of the socket, and the server if it was started here.

    If it is started again, its socket must be in the folder `again`, which clients know; the server that
    another process has started meanwhile can be reached there, too.
    """
    binaries = find_binaries()
    _ = binaries.major  # Shows that the programs run here, before anything is made.
    folder = _prepared(folder)
    data = folder / "postgres"
    check_cluster(data, binaries)
    with starting(folder / "postgres.lock") as lock:
        held = open_lock(folder / "postgres.running")
        try:
            shared = running(held, data, ended=again)
            if shared is not None:
                if again is not None:
                    link_sockets(again, Path(shared.sockets))
                return again or Path(shared.sockets), None
            _clear_up(held, data)
            # Check again, because another process may have made the folder while this one waited for its
            # turn.
            check_cluster(data, binaries)
            user = _runs_as(folder, data)
            if not is_made(data):
                if again is not None:
                    raise DatabaseUnavailable(f"The data folder {data} is gone.")
                make_cluster(binaries, data, user, lock, durable=durable)
            return _start(binaries, data, user, held, durable, watcher, again)
        finally:
            # The server has inherited it, and holds the lock from here on.
            os.close(held)


def _start(
    binaries: Binaries,
    data: Path,
    user: RunsAs,
    held: int,
    durable: bool,
    watcher: bool,
    again: Path | None,
) -> tuple[Path, Server]:
    sockets = make_sockets(user) if again is None else remake_sockets(again, user)
    try:
        write_claim(held, Claim(owner=os.getpid(), sockets=str(sockets)))
        log = data.with_name("postgres.log")
        server = start_server(
            binaries, data, sockets, log, user, durable=durable, watcher=watcher, keep=[held]
        )
    except BaseException:
        remove_sockets(sockets)
        raise
    return sockets, server


def _prepared(folder: Path) -> Path:
    """Make the data folder if need be; the user that root becomes must be able to enter one of root's."""
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _runs_as(folder: Path, data: Path) -> RunsAs:
    """Return the user to run as: for root, the owner of the data, or `nobody` where that is root.

    A folder that a container mounts may belong to a user that has no name in there, as which initdb would not
    make a data folder; `nobody` is used then, too.
    """
    made = is_made(data)
    if os.geteuid() != 0:
        if not made and not has_name(os.geteuid()):
            raise DatabaseUnavailable(
                f"User {os.geteuid()} has no name on this machine, without which PostgreSQL's initdb does "
                f"not run; start as a user with a name, or {OWN_SERVER}."
            )
        return RunsAs()
    owner = (data if made else folder).stat()
    if owner.st_uid != 0 and (made or has_name(owner.st_uid)):
        return RunsAs(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise DatabaseUnavailable(
            "PostgreSQL does not run as root, and there is no user nobody; start as an ordinary user."
        ) from error
    return RunsAs(nobody.pw_uid, nobody.pw_gid)


def _clear_up(held: int, data: Path) -> None:
    """Remove what a crash left: the socket's folder, and a process id that may be another program's by now.

    The lock says that no server of ours lives. One that a user started by hand has its folder as its working
    directory, which distinguishes it from an unrelated process that got the old number. A killed server whose
    parent has not yet reaped it keeps its number, without a working directory; PostgreSQL would take that for
    a living one.
    """
    left = read_claim(held)
    if left is not None:
        remove_sockets(Path(left.sockets))
    pid_file = data / "postmaster.pid"
    if sys.platform != "linux" or not pid_file.exists():
        return
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        lives = os.readlink(f"/proc/{pid}/cwd") == str(data)
    except FileNotFoundError:
        lives = False
    except (OSError, ValueError):
        # Another user's process, or a file truncated by a full disk: PostgreSQL itself decides.
        return
    if not lives:
        pid_file.unlink()
