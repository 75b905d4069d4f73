"""Real processes that run the jobs: `worker`, and `serve` unless it is told not to; and how they end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest

from tests.conftest import on_one_server
from tests.faults.cluster import free_port
from tests.faults.waiting import until
from tests.faults.wire import Lost, Wire
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import aim, holdings
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def process(
    app_url: str, owner_url: str, folder: Path, *arguments: str, **settings: str
) -> Iterator["subprocess.Popen[str]"]:
    """A process of Graphfolio's on the module's database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHFOLIO_")}
    environment = {
        **kept,
        "DATABASE_URL": app_url,
        "GRAPHFOLIO_OWNER_DATABASE_URL": owner_url,
        "GRAPHFOLIO_DATA_DIR": str(folder),
        **{f"GRAPHFOLIO_{name.upper()}": value for name, value in settings.items()},
    }
    with subprocess.Popen(
        [sys.executable, str(ROOT / "graphfolio.py"), *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


async def due(exchange: Exchange) -> tuple[UUID, str]:
    """A portfolio whose rebalance was due an hour ago, and what it is to hold."""
    actor, id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    await aim(actor, id, {symbol: "1"}, auto_rebalance=True)
    await exchange.run(
        "UPDATE rebalance_due SET scheduled_at = now() - interval '1 hour', "
        "due_at = now() - interval '1 hour' WHERE portfolio_id = $1",
        id,
    )
    return id, symbol


async def count(exchange: Exchange, id: UUID) -> object:
    """How many rebalances the portfolio has had."""
    return await exchange.value("SELECT count(*) FROM rebalance_history WHERE portfolio_id = $1", id)


@pytest.mark.parametrize("command", ["worker", "serve"])
async def test_what_is_due_is_done(
    exchange: Exchange, app_url: str, owner_url: str, tmp_path: Path, command: str
) -> None:
    id, symbol = await due(exchange)

    async def done() -> bool:
        return await count(exchange, id) == 1

    port = free_port()
    with process(app_url, owner_url, tmp_path, command, port=str(port)) as running:
        await until(done, 120, 0.2)
        assert await holdings(exchange, id) == {symbol: "100", "cash": "0"}
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode in (0, -signal.SIGTERM)
    started, *others = [json.loads(line) for line in output.splitlines()]
    assert {line["level"] for line in (started, *others)} == {"info"}
    assert (started["event"], started["version"], started["feed"]) == ("started", "0.1.0", "none")
    assert started["address"] == (f"http://127.0.0.1:{port}" if command == "serve" else None)
    assert started["database"].startswith("graphfolio_app@")
    done_jobs = [line for line in others if line.get("job") == "rebalances.start_due"]
    assert [(line["event"], line["outcome"], line["done"]) for line in done_jobs] == [("job", "done", 1)]
    assert await count(exchange, id) == 1
    assert await exchange.value("SELECT count(*) FROM pgqueuer_schedules WHERE status = 'picked'") == 0


@on_one_server
async def test_a_server_that_is_told_not_to_leaves_it_alone(
    exchange: Exchange, app_url: str, owner_url: str, tmp_path: Path
) -> None:
    id, symbol = await due(exchange)

    async def done() -> bool:
        return await count(exchange, id) == 1

    async def ready() -> bool:
        with suppress(Lost):
            return await Wire().get(port, "/ready") == 200
        return False

    port = free_port()
    with process(app_url, owner_url, tmp_path, "serve", port=str(port), worker="false"):
        await until(ready, 120, 0.1)
        # Longer than from one round to the next.
        with pytest.raises(TimeoutError):
            await until(done, 12, 0.5)
        with (
            process(app_url, owner_url, tmp_path, "worker"),
            process(app_url, owner_url, tmp_path, "worker"),
        ):
            await until(done, 120, 0.2)
    assert await holdings(exchange, id) == {symbol: "100", "cash": "0"}
    assert await count(exchange, id) == 1
