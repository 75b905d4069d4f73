"""A process of its own that sets up the demo, and says each step: `setting_up.py URL OWNER_URL`."""

import sys

from investing.demo.service import set_up_demo


def report(step: str, done: int, total: int) -> None:
    print(f"{step}: {done}/{total}", flush=True)


if __name__ == "__main__":
    set_up_demo(sys.argv[1], sys.argv[2], None, report)
