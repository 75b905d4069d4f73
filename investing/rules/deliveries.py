"""When a notification is tried again, and when it is given up."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How deliveries are made. Times are in seconds.

    `lease` is how long an attempt may take in all until another process makes the next one, and so more than
    `patience`, which a receiver has for its answer. A failure waits `first_wait`, then `factor` times longer
    each time up to `longest_wait`; after `most_attempts` it is dead. `per_hour` is how many alerts a user is
    sent in a window of `window` before the rest wait for a digest. A destination that fails `give_up_after`
    times one after the other is switched off.
    """

    lease: float = 60
    patience: float = 15
    first_wait: float = 30
    factor: float = 4
    longest_wait: float = 8 * 3600
    most_attempts: int = 8
    per_hour: int = 60
    window: float = 3600
    give_up_after: int = 40


def next_wait(pace: Pace, attempts: int, chance: float) -> dt.timedelta | None:
    """How long to wait after so many attempts have failed; None where that was the last.

    `chance` from 0 to 1 spreads those that failed together: between half of the time and all of it.
    """
    if attempts >= pace.most_attempts:
        return None
    # Bounded before the power is taken, which may be of any size.
    wait = min(pace.longest_wait, pace.first_wait * pace.factor ** min(attempts - 1, 50))
    return dt.timedelta(seconds=wait * (0.5 + chance / 2))
