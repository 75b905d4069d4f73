"""Commands that run until they are stopped."""

import asyncio
import errno
import gc
import logging
import signal
import socket
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from commands.opening import DataDir, Stop, check_time_zone, opened, progress, revealed
from db.server import Database
from db.server.address import without_password
from settings import Settings

logger = logging.getLogger("graphfolio")

FULL_COLLECTIONS = 30
"""A full garbage collection runs after this many of the younger generation; Python's default is 10."""


Host = Annotated[str | None, typer.Option(help="The address to listen on; GRAPHFOLIO_HOST if left out.")]
Port = Annotated[int | None, typer.Option(help="The port to listen on; GRAPHFOLIO_PORT if left out.")]


def serve(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Serve the API, on the embedded PostgreSQL or on the one that DATABASE_URL names."""
    with opened(data_dir, create=True) as (settings, found):
        host, port = _address(settings, host, port)
        check_time_zone(settings, found.url)
        _serve(settings, found, host, port)


def demo(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Serve the API with real prices and a demo user with years of trades, created at the first start."""
    from investing.demo.service import set_up_demo

    with opened(data_dir, create=True) as (settings, found):
        host, port = _address(settings, host, port)
        check_time_zone(settings, found.url)
        with progress() as report:
            outcome = set_up_demo(found.url, found.owner_url, revealed(settings.demo_password), report)
        typer.echo(_demo_welcome(outcome.password, f"http://{host}:{port}"))
        _serve(settings.model_copy(update={"feed": settings.feed or "replay"}), found, host, port)


def worker(data_dir: DataDir = None) -> None:
    """Run the jobs that `serve` runs too, such as scheduled rebalances; each runs in one process only."""
    from runtime.services import work

    async def run(settings: Settings, url: str) -> None:
        _tell_start(settings, url)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(settings, url, stop)

    with opened(data_dir, create=True) as (settings, found):
        _collect()
        asyncio.run(run(settings, found.url))


def _address(settings: Settings, host: str | None, port: int | None) -> tuple[str, int]:
    """Return where to listen, from the options or else the settings. Raise Stop if it is not free."""
    host, port = host or settings.host, settings.port if port is None else port
    check_free(host, port)
    return host, port


def check_free(host: str, port: int) -> None:
    """Raise Stop if no server can listen there, so that a demo says so before it loads anything."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as tried:
            # As the server does: connections of the previous one that are closing do not count.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Stop(
                f"Port {port} of {host} is in use: stop the program that listens there, or choose another "
                "port with --port."
            ) from None
        raise Stop(f"Cannot listen on {host}, port {port}: {error.strerror}.") from None


def _collect() -> None:
    """Turn the garbage collector on, without the objects that exist by now: they are here to stay."""
    gc.freeze()
    # A full collection stops everything for 0.1 s with 200 streams open and would find little:
    # docs/decisions/streams.md has the figures.
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTIONS)
    gc.enable()


def _serve(settings: Settings, found: Database, host: str, port: int) -> None:
    from graph.server.listening import listen
    from graph.server.main import build_server
    from investing.auth.keys import KeyRing
    from investing.auth.secret_file import load_or_generate
    from runtime.sending import secret_box_of

    keys = revealed(settings.token_keys)
    ring = KeyRing.parse(keys) if keys else load_or_generate(settings.data_dir)
    secret_box = secret_box_of(settings)
    # Keys that cannot be used are reported at the start rather than at a request.
    secret_box.read()
    server = build_server(settings, found.url, ring, secret_box=secret_box)
    _collect()
    listen(
        server,
        host,
        port,
        lambda address: _tell_start(settings, found.url, address),
    )


def _tell_start(settings: Settings, url: str, address: str | None = None) -> None:
    """Log what runs here; `url` is the database's, without its password in the log."""
    logger.info(
        "started",
        extra={
            "version": _version(),
            "address": address,
            "database": without_password(url),
            "feed": settings.feed or "none",
            "jobs": settings.worker or address is None,
            "server_processes": 1,
            "optimiser_processes": settings.optimiser_workers,
        },
    )


def _version() -> str:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _demo_welcome(password: str | None, url: str) -> str:
    tree = (Path(__file__).parent.parent / "graph" / "graphiql" / "tree.graphql").read_text()
    known = f"password {password}" if password else "the password that was printed at the first start"
    return (
        f"\nGraphiQL   {url}/graphiql\nLogin      demo, {known}\n"
        "           (to change it: python3 run.py set-password demo)\n"
        f"\nA query to begin with, which GraphiQL already contains:\n\n{tree}"
    )
