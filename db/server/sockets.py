"""The private folder of the server's socket: short, outside the data folder, and closed to other users.

Every user who reaches the socket is trusted, so the folder's mode 0700 takes the place of a password.
"""

import os
import stat
import tempfile
from pathlib import Path

from db.server.address import PORT, DatabaseUnavailable
from db.server.process import RunsAs

PREFIX = "graphfolio-"
NAME = f".s.PGSQL.{PORT}"
LONGEST = 100
"""The kernel's limit for a socket's path is 103 bytes on macOS and 107 on Linux."""


def make_sockets(user: RunsAs) -> Path:
    """Make the folder and give it to the user that PostgreSQL runs as.

    Raises `DatabaseUnavailable` where no folder for temporary files is short enough.
    """
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        example = f"{parent}/{PREFIX}12345678/{NAME}.lock"
        if os.path.isabs(parent) and len(os.fsencode(example)) < LONGEST:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            user.own(folder)
            return folder
    raise DatabaseUnavailable(
        f"The folder for temporary files, {tempfile.gettempdir()}, is too long for a socket; "
        "set TMPDIR to a shorter one."
    )


def remake_sockets(folder: Path, user: RunsAs) -> Path:
    """Make the folder of an earlier server anew, at the same address."""
    remove_sockets(folder)
    folder.mkdir(mode=0o700)
    user.own(folder)
    return folder


def link_sockets(folder: Path, other: Path) -> None:
    """Make the socket in `other` reachable at the address of an earlier server, too."""
    link, target = folder / NAME, other / NAME
    if link.is_symlink() and link.readlink() == target:
        return
    remake_sockets(folder, RunsAs())
    link.symlink_to(target)


def remove_sockets(folder: Path) -> None:
    """Remove the folder of a server that has ended; leave anything alone that is not one of ours."""
    try:
        if not folder.name.startswith(PREFIX) or not stat.S_ISDIR(folder.lstat().st_mode):
            return
        for name in (NAME, f"{NAME}.lock"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        # It is another user's, or contains another user's files.
        return
