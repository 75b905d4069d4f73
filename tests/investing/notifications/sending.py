"""A process that sends, to be killed: with a database's URL, a lease in seconds, and the keys in KEYS.

It prints a line once it has begun.
"""

import asyncio
import os
import sys

from db.sessions import open_sessions
from investing.auth.keys import KeyRing
from investing.auth.sealing import Vault
from investing.notifications.sender import Sender, carriers_of
from investing.rules.deliveries import Pace


async def main(url: str, lease: float) -> None:
    """Sends until it is killed."""
    vault = Vault(lambda: KeyRing.parse(os.environ["KEYS"]))
    pace = Pace(
        lease=lease,
        patience=lease / 2,
        first_wait=0.1,
        # Attempts that were killed count: without a bound those that fail after them would wait for hours.
        longest_wait=1,
        most_attempts=100,
        give_up_after=10**6,
        per_hour=10**6,
    )
    # Made before the first lease begins, which is shorter here than it takes to import them.
    carriers = carriers_of(relay=None, anywhere=True, patience=pace.patience)()
    async with open_sessions(url, size=5) as sessions:
        print("sending", flush=True)
        await Sender(sessions, vault, lambda: carriers, pace=pace).run(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
