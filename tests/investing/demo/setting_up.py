"""A process of its own that sets up the demo: `setting_up.py URL OWNER_URL`.

It says each step, and goes on when it is told to, so that it can be killed at exactly that point.
"""

import sys

from investing.demo.service import set_up_demo


def report(step: str, done: int, total: int) -> None:
    print(f"{step}: {done}/{total}", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    set_up_demo(sys.argv[1], sys.argv[2], None, report)
