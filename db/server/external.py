"""The user's own PostgreSQL: it is tried before anything else starts, and never changed."""

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Coroutine
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import asyncpg

from db.server.address import Database, DatabaseUnavailable

OLDEST_MAJOR = 15
CONNECT_SECONDS = 5.0
HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:(?P<port>\d{1,5}))?")
EXAMPLE = "postgresql://user:password@host:5432/database"


def external_database(database_url: str, owner_url: str) -> Database:
    """Try both addresses and return them in asyncpg's form.

    Raises `DatabaseUnavailable` where either is no PostgreSQL address or does not accept the connection.
    """
    url = checked_url(database_url, "DATABASE_URL")
    owner = url if owner_url == database_url else checked_url(owner_url, "The owner's database URL")
    _try(url)
    if owner != url:
        _try(owner)
    return Database(url=url, owner_url=owner, embedded=False)


def checked_url(text: str, name: str) -> str:
    """Return the address without a driver's name (`postgresql+asyncpg://` is accepted).

    Raises `DatabaseUnavailable`. Its line repeats no part of the address: in a malformed one, any part may be
    a piece of the password.
    """
    url = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", text.strip())
    if not re.match(r"^postgres(ql)?://", url):
        raise DatabaseUnavailable(f"{name} is not a PostgreSQL address; write it as {EXAMPLE}.")
    try:
        parts = urlsplit(url)
        if parts.query:
            parse_qs(parts.query, strict_parsing=True)
    except ValueError as error:
        raise _misread(name) from error
    # asyncpg takes several hosts, which the standard library's `port` would not read.
    for host in parts.netloc.rpartition("@")[2].split(","):
        found = HOST.fullmatch(host)
        if found is None or int(found["port"] or 1) > 65535:
            raise _misread(name)
    # A raw @, / or # in a password moves the rest of it into the host, the path or the fragment.
    if parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment:
        raise _misread(name)
    return url


def _misread(name: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"{name} cannot be read; write it as {EXAMPLE}, with special characters of the password "
        "percent-encoded (@ as %40, / as %2F, # as %23)."
    )


def _try(url: str) -> None:
    parts = urlsplit(url)
    place = _place(parts)
    role = unquote(parts.username) if parts.username else "the default user"
    try:
        major = _run(_major(url))
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {place} does not let {role} in; check the user and the password."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        database = unquote(parts.path.lstrip("/")) or role
        raise DatabaseUnavailable(
            f"PostgreSQL at {place} has no database {database}; create it with: createdb {database}"
        ) from error
    except asyncpg.ClientConfigurationError as error:
        raise _misread("The database URL") from error
    except asyncpg.ConnectionDoesNotExistError as error:
        raise DatabaseUnavailable(f"What listens at {place} hung up; is it PostgreSQL?") from error
    except asyncpg.PostgresError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseUnavailable(f"PostgreSQL at {place} refuses {role}: {reason}") from error
    except TimeoutError as error:
        raise DatabaseUnavailable(
            f"No PostgreSQL answered at {place} within {CONNECT_SECONDS:g} seconds; "
            "check the host, the port and the firewall."
        ) from error
    except socket.gaierror as error:
        raise DatabaseUnavailable(f"The host of the database, {place}, is not known.") from error
    except ssl.SSLError as error:
        raise DatabaseUnavailable(f"The TLS connection to {place} failed: {error.reason}.") from error
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise DatabaseUnavailable(f"Nothing listens at {place}; is PostgreSQL running there?") from error
    except (OSError, asyncpg.InterfaceError, ValueError) as error:
        # The text of these errors may quote the address, so only the kind of the failure is reported.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DatabaseUnavailable(f"PostgreSQL at {place} cannot be reached ({reason}).") from error
    if major < OLDEST_MAJOR:
        raise DatabaseUnavailable(
            f"PostgreSQL at {place} is version {major}; Graphfolio needs {OLDEST_MAJOR} or newer."
        )


async def _major(url: str) -> int:
    # One deadline for all of it: asyncpg's own starts again for each host and for a retry without TLS.
    async with asyncio.timeout(CONNECT_SECONDS):
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
        try:
            return connection.get_server_version().major
        finally:
            connection.terminate()


def _run(work: Coroutine[None, None, int]) -> int:
    """Run `work` to its end, in a thread of its own, as a caller may already have a running event loop."""
    answer: list[int] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="database-check")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return answer[0]


def _place(parts: SplitResult) -> str:
    requested = parse_qs(parts.query)
    host = parts.netloc.rpartition("@")[2] or requested.get("host", ["the default socket"])[-1]
    return unquote(host)
