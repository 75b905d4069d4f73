"""The commands that run until they are stopped."""

import asyncio
import gc
import signal
from pathlib import Path

import typer

from commands.opening import DataDir, check_time_zone, opened, progress, revealed
from db.server import Database
from settings import Settings

FULL_COLLECTIONS = 30
"""After so many collections of the younger objects all are looked at; Python's own figure is 10."""


def serve(data_dir: DataDir = None, host: str | None = None, port: int | None = None) -> None:
    """Serve the API, on an embedded PostgreSQL or the one that DATABASE_URL names."""
    with opened(data_dir) as (settings, found):
        check_time_zone(settings, found.url)
        _serve(settings, found, host, port)


def demo(data_dir: DataDir = None, host: str | None = None, port: int | None = None) -> None:
    """Load real prices and a demo user with years of trades, once, and serve."""
    from investing.demo.service import set_up_demo

    with opened(data_dir) as (settings, found):
        check_time_zone(settings, found.url)
        with progress() as report:
            outcome = set_up_demo(found.url, found.owner_url, revealed(settings.demo_password), report)
        host, port = host or settings.host, settings.port if port is None else port
        typer.echo(_demo_welcome(outcome.password, f"http://{host}:{port}"))
        _serve(settings.model_copy(update={"feed": settings.feed or "replay"}), found, host, port)


def worker(data_dir: DataDir = None) -> None:
    """Run the jobs, such as scheduled rebalances, beside those who serve: each job runs in one process."""
    from runtime.services import work

    async def run(settings: Settings, url: str) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(settings, url, stop)

    with opened(data_dir) as (settings, found):
        _collect()
        asyncio.run(run(settings, found.url))


def _collect() -> None:
    """Turns the collector on; what is there by now stays for good, and it need never look at that again."""
    gc.freeze()
    # A full collection holds up everybody for 0.1 s with 200 streams open, and what it would find is little:
    # docs/decisions/streams.md has the figures.
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTIONS)
    gc.enable()


def _serve(settings: Settings, found: Database, host: str | None, port: int | None) -> None:
    import uvicorn

    from graph.server.main import build_server
    from graph.server.slow_clients import patience
    from investing.auth.keys import KeyRing
    from investing.auth.secret_file import load_or_generate
    from runtime.sending import secret_box_of

    keys = revealed(settings.token_keys)
    ring = KeyRing.parse(keys) if keys else load_or_generate(settings.data_dir)
    secret_box = secret_box_of(settings)
    # So that keys which cannot be used are told at the start, and not at somebody's request.
    secret_box.read()
    server = build_server(settings, found.url, ring, secret_box=secret_box)
    _collect()
    uvicorn.run(
        server,
        host=host or settings.host,
        port=settings.port if port is None else port,
        log_level="warning",
        server_header=False,
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=10,
        **patience(),
    )


def _demo_welcome(password: str | None, url: str) -> str:
    tree = (Path(__file__).parent.parent / "graph" / "graphiql" / "tree.graphql").read_text()
    known = f"password {password}" if password else "the password that was printed the first time"
    return (
        f"\nGraphiQL   {url}/graphiql\nLogin      demo, {known}\n"
        "           (another one: python3 run.py set-password demo)\n"
        f"\nThe tree, also in GraphiQL already:\n\n{tree}"
    )
