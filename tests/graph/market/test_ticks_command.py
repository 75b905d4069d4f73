"""`graphfolio ticks`, run as a person runs it beside a server: what prices cross arrives on the stream."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import run_here
from tests.conftest import on_one_server
from tests.graph.conftest import Api
from tests.graph.doing import mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored
from tests.graph.streams import follow

ROOT = Path(__file__).parents[3]
FOLLOW = "subscription { alerts { alert { kind title } } }"


def ticks(
    owner_url: str, folder: Path, file: Path, capfd: pytest.CaptureFixture[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command on the module's database to its end; with `capfd` in this process."""
    environment = {**os.environ, "DATABASE_URL": owner_url, "PYTHONIOENCODING": "utf-8"}
    line = ["ticks", str(file), "--data-dir", str(folder / "data")]
    if capfd is not None:
        return run_here(capfd, line, environment)
    line = [sys.executable, "graphfolio.py", *line]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@on_one_server
async def test_prices_of_a_file_reach_who_follows(
    register: Callable[[], Api],
    stored: Stored,
    owner_url: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A rule on the price is decided by the command, one on a portfolio by the server that hears of it."""

    def set_up() -> Api:
        api = register()
        stored.instrument("TICK", "10")
        portfolio = open_portfolio(api, open_account(api))
        recorded(api, portfolio, "DEPOSIT", "2024-01-01", amount="100")
        recorded(api, portfolio, "BUY", "2024-01-02", symbol="TICK", quantity="10", price="10")
        for name, kind, given in (
            ("Dear", "PRICE_ABOVE", {"symbol": "TICK", "threshold": "12"}),
            ("Poor", "PORTFOLIO_VALUE_BELOW", {"portfolioId": portfolio, "threshold": "95"}),
        ):
            rule = {"name": name, "kind": kind, **given}
            assert mutate(api, "createAlertRule", "alertRule { id }", **rule)["userErrors"] == []
        # No look comes by itself.
        stored.run("UPDATE alert_checks SET due_at = now() + interval '1 h'")
        return api

    api = await asyncio.to_thread(set_up)
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("symbol,price\nTICK,11\nTICK,12.5\nTICK,9\n")
    bad.write_bytes(b"TICK,9\n\xff\xfe,\x00\nNONE,1\nTICK,dear\n")
    async with follow(api, FOLLOW, begins=True) as stream:
        done = await asyncio.to_thread(ticks, owner_url, tmp_path, good)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "3 prices are new, 0 older than the quote, 0 bad lines."
        told = [(await stream.next())["alert"] for _ in range(2)]
    assert sorted(alert["title"] for alert in told) == [
        "Portfolio worth less than 95 USD",
        "TICK above 12 USD",
    ]

    done = await asyncio.to_thread(ticks, owner_url, tmp_path, bad, capfd)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 price is new, 0 older than the quote, 3 bad lines."
    assert sorted(done.stderr.splitlines()) == [
        f"{bad}:2: '\\x00' is not a price.",
        f"{bad}:3: There is no instrument NONE.",
        f"{bad}:4: 'dear' is not a price.",
    ]


@on_one_server
def test_what_is_no_file(owner_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line that says so, and nothing else."""
    done = ticks(owner_url, tmp_path, tmp_path, capfd)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"graphfolio: There is no file {tmp_path}.\n"
