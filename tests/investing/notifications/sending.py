"""A process that sends, to be killed: with a database's URL, a lease in seconds, and the keys in KEYS."""

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
        most_attempts=100,
        give_up_after=10**6,
        per_hour=10**6,
    )
    carriers = carriers_of(relay=None, anywhere=True, patience=pace.patience)
    async with open_sessions(url, size=5) as sessions:
        await Sender(sessions, vault, carriers, pace=pace).run(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
