"""UUIDv7 (RFC 9562, section 5.7): ids that sort by the time they were made."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new id, greater than every id that this process made before."""
    global _last
    # 60 bits of time: 48 of milliseconds and 12 of their fraction (RFC 9562, section 6.2, method 3).
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    stamp = (milliseconds << 12) | (rest * 4096 // 1_000_000)
    with _lock:
        _last = stamp = max(stamp, _last + 1)
    return from_stamp(stamp)


def from_stamp(stamp: int) -> UUID:
    """Return an id with this 60-bit time stamp and 62 random bits."""
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random
    return UUID(int=value)
