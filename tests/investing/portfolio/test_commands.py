"""`refresh-performance`, run as a person runs it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from db.sessions import open_sessions
from tests.investing.portfolio.days import expected_now
from tests.investing.trading.world import make_world
from tests.market_rows import count, rows

ROOT = Path(__file__).parents[3]


def run(owner_url: str, data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on the module's database, to its end."""
    environment = {**os.environ, "DATABASE_URL": owner_url, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "graphfolio.py", *words, "--data-dir", str(data_dir)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_prices_and_then_snapshots(app_url: str, owner_url: str, superuser_url: str, tmp_path: Path) -> None:
    async def make() -> UUID:
        async with open_sessions(app_url) as sessions:
            world = await make_world(sessions, superuser_url)
            await world.buy(0, "100", "10")
            return world.portfolios[0]

    portfolio_id = asyncio.run(make())
    file = tmp_path / "prices.csv"
    file.write_text("symbol,date,close\nABC,2020-01-01,10\nABC,2020-01-02,11\n")
    assert run(owner_url, tmp_path / "data", "import-prices", str(file)).returncode == 0
    first = run(owner_url, tmp_path / "data", "refresh-performance")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith("1 portfolio refreshed.\n")
    assert count(superuser_url, "performance_history") == len(expected_now(superuser_url, portfolio_id)) == 3
    ((value,),) = rows(superuser_url, "SELECT total_value FROM performance_history WHERE date = '2020-01-02'")
    assert value == 1000100
    again = run(owner_url, tmp_path / "data", "refresh-performance")
    assert again.stdout.endswith("All snapshots were up to date already.\n")
    # Tomorrow's price makes tomorrow's snapshot, whatever is wrong beside it.
    file.write_text("symbol,date,close\nABC,2020-01-03,12\nXYZ,2020-01-03,1\nABC,2020-01-04,dear\n")
    some = run(owner_url, tmp_path / "data", "import-prices", str(file), "--skip-bad")
    assert (some.returncode, some.stdout.splitlines()[-1]) == (
        3,
        "2 bars are new, 0 changed, 0 were there already, 1 bad line skipped. 1 instrument is new: XYZ.",
    )
    file.write_text("symbol,date,close\nABC,2020-01-04,dear\n")
    none = run(owner_url, tmp_path / "data", "import-prices", str(file), "--skip-bad")
    assert none.returncode == 1
    assert none.stderr.splitlines()[-1] == "graphfolio: 1 of 1 line is bad: nothing was loaded."
    run(owner_url, tmp_path / "data", "refresh-performance")
    assert count(superuser_url, "performance_history") == 4
