"""A process that sends, to be killed: with a database's URL, a lease in seconds, and the keys in KEYS.

It prints a line once it has begun.
"""

import asyncio
import os
import sys

from db.sessions import open_sessions
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.notifications.sender import Sender, channels_of
from investing.rules.notifications.deliveries import DeliveryPolicy


async def main(url: str, lease: float) -> None:
    """Sends until it is killed."""
    secret_box = SecretBox(lambda: KeyRing.parse(os.environ["KEYS"]))
    pace = DeliveryPolicy(
        lease=lease,
        timeout=lease / 2,
        first_wait=0.1,
        # Attempts that were killed count: without a bound those that fail after them would wait for hours.
        longest_wait=1,
        most_attempts=100,
        give_up_after=10**6,
        per_hour=10**6,
    )
    # Made before the first lease begins, which is shorter here than it takes to import them.
    channels = channels_of(smtp_config=None, allow_private=True, timeout=pace.timeout)()
    async with open_sessions(url, size=5) as sessions:
        print("sending", flush=True)
        await Sender(sessions, secret_box, lambda: channels, policy=pace).run(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
