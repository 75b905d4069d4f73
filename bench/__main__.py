"""Run a benchmark by its name; without one, that of trees.

python3 run.py bench [trades | snapshots | alerts | portfolio_rules | notifier | access_log] [ARGUMENTS]
"""

import runpy
import sys
from pathlib import Path

OTHERS = {path.stem for path in Path(__file__).parent.glob("[a-z]*.py")} - {"limit"}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        name = f"bench.{sys.argv.pop(1)}"
    else:
        name = "bench.trees"
        if sys.argv[1:2] == ["trees"]:
            del sys.argv[1]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
