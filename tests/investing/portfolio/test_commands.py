"""`refresh-performance`, run as a person runs it."""

import asyncio
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from db.sessions import open_sessions
from tests.commands import run_on
from tests.investing.portfolio.days import expected_now
from tests.investing.trading.world import make_world
from tests.market_rows import count, rows


def test_prices_and_then_snapshots(
    app_url: str, owner_url: str, superuser_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return run_on(capfd, owner_url, tmp_path / "data", *words)

    async def make() -> UUID:
        async with open_sessions(app_url) as sessions:
            world = await make_world(sessions, superuser_url)
            await world.buy(0, "100", "10")
            return world.portfolios[0]

    portfolio_id = asyncio.run(make())
    file = tmp_path / "prices.csv"
    file.write_text("symbol,date,close\nABC,2020-01-01,10\nABC,2020-01-02,11\n")
    assert run("import-prices", str(file)).returncode == 0
    first = run("refresh-performance")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith("1 portfolio refreshed.\n")
    assert count(superuser_url, "performance_history") == len(expected_now(superuser_url, portfolio_id)) == 3
    ((value,),) = rows(superuser_url, "SELECT total_value FROM performance_history WHERE date = '2020-01-02'")
    assert value == 1000100
    again = run("refresh-performance")
    assert again.stdout.endswith("All snapshots were up to date already.\n")
    # Tomorrow's price makes tomorrow's snapshot, whatever is wrong beside it.
    file.write_text("symbol,date,close\nABC,2020-01-03,12\nXYZ,2020-01-03,1\nABC,2020-01-04,dear\n")
    some = run("import-prices", str(file), "--skip-bad")
    assert (some.returncode, some.stdout.splitlines()[-1]) == (
        3,
        "2 bars are new, 0 changed, 0 were there already, 1 bad line skipped. 1 instrument is new: XYZ.",
    )
    file.write_text("symbol,date,close\nABC,2020-01-04,dear\n")
    none = run("import-prices", str(file), "--skip-bad")
    assert none.returncode == 1
    assert none.stderr.splitlines()[-1] == "graphfolio: 1 of 1 line is bad: nothing was loaded."
    run("refresh-performance")
    assert count(superuser_url, "performance_history") == 4
