"""The launcher's results: an address that answers, or one line that says why there is none."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

OWNER = "graphfolio_owner"
APPLICATION = "graphfolio_app"
DATABASE = "graphfolio"
PORT = 5432


@dataclass(frozen=True)
class Database:
    """Addresses in asyncpg's form; neither may be displayed, as they can contain a password."""

    url: str
    """The address for the application role, which the server uses."""
    owner_url: str
    """The address for the role that owns the schema and migrates it."""
    embedded: bool
    """Whether the server is the embedded one, from the wheel."""


class DatabaseUnavailable(Exception):
    """No database is available; the text is one line for the user, without a password."""


def socket_url(role: str, folder: Path, database: str = DATABASE) -> str:
    """Return the address of a server behind a Unix socket; it names the port, so PGPORT has no effect."""
    return f"postgresql://{role}@/{database}?host={quote(str(folder), safe='/')}&port={PORT}"


def without_password(url: str) -> str:
    """Return an address as it may be displayed: the user, the host and the database, and nothing else."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    place = parts.netloc.rpartition("@")[2] or options.get("host", "")
    user = unquote(parts.username or options.get("user", ""))
    return f"{user}@{place}{parts.path}" if user else f"{place}{parts.path}"


def user_name(uid: int) -> str:
    """Return the login name of `uid`, or its number if it has none."""
    import pwd  # Not available on Windows, where this module must still load for DATABASE_URL.

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def has_name(uid: int) -> bool:
    """Return whether `uid` has an entry in the system's list of users."""
    import pwd

    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def unusable(folder: Path, error: OSError) -> DatabaseUnavailable:
    """Return the error for an operating system's refusal about `folder`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder)
    if error.errno in (errno.EACCES, errno.EPERM):
        me = user_name(os.geteuid())
        return DatabaseUnavailable(
            f"{me} may not use the data folder {folder}; "
            "start as the user it belongs to, or choose another folder with --data-dir."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return DatabaseUnavailable(
            f"The data folder {folder} is a file or lies below one; choose another folder with --data-dir."
        )
    reason = error.strerror or str(error)
    return DatabaseUnavailable(f"The data folder {folder} cannot be used ({reason}).")


def disk_full(folder: Path) -> DatabaseUnavailable:
    """Return the error for a full disk."""
    return DatabaseUnavailable(f"The disk that holds {folder} is full; free some space and start again.")
