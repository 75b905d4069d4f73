"""The bench still measures what it says: its hand-written trade leaves a ledger that `verify` accepts."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_small_round_of_the_bench() -> None:
    """The bench checks every answer and verifies at its end; a failure of either is an exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.trades", "16", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    measured = re.findall(r"^\| (\d+) \| ([\w ]+) \|", done.stdout, re.MULTILINE)
    ways = ["one statement", "recordTransaction", "placeOrder"]
    assert measured == [(portfolios, way) for portfolios in ("1", "1000") for way in ways]
