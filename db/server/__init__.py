"""The database server: the user's own PostgreSQL, or an embedded one that needs no installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.server.address import Database, DatabaseUnavailable
from db.server.external import external_database

__all__ = ["Database", "DatabaseUnavailable", "database"]


@contextmanager
def database(
    database_url: str | None,
    data_dir: Path,
    *,
    owner_url: str | None = None,
    durable: bool = True,
    create: bool = True,
) -> Iterator[Database]:
    """Yield a database that answers, for as long as the block lasts.

    With `database_url` the server is the user's own: it is tried and left as it is, and `owner_url` (the role
    that migrates) defaults to the same address. Without one, an embedded PostgreSQL keeps its data in
    `data_dir/postgres` and ends with this process; a second process on the same folder shares the server of
    the first and never stops it. `durable=False` turns off all waiting for the disk, which only tests want.
    `create=False` makes no new one, and nothing else in the folder.

    Raises `DatabaseUnavailable`, whose text is one line that says what is wrong and what to do.
    """
    if database_url:
        yield external_database(database_url, owner_url or database_url)
        return
    try:
        # The launcher depends on fcntl and Unix sockets; users with a server of their own need neither.
        from db.server.embedded import embedded_database
    except ImportError as error:
        raise DatabaseUnavailable(
            "The embedded PostgreSQL runs on Linux and macOS only; "
            "set DATABASE_URL to a PostgreSQL 15 or newer of your own."
        ) from error
    with embedded_database(data_dir, durable=durable, create=create) as found:
        yield found
