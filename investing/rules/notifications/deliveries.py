"""When a notification is tried again, and when it is given up."""

import datetime as dt
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class DeliveryPolicy:
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


def next_wait(
    pace: DeliveryPolicy, attempts: int, chance: float, requested: float | None = None
) -> dt.timedelta | None:
    """How long to wait after so many attempts have failed; None where that was the last.

    `chance` from 0 to 1 spreads those that failed together: between half of the time and all of it. `asked`
    is how many seconds the receiver wants to be left alone: never less than our own wait comes of it, and
    never more than the longest, so that nobody puts a delivery off for ever.
    """
    if attempts >= pace.most_attempts:
        return None
    # Bounded before the power is taken, which may be of any size.
    wait = min(pace.longest_wait, pace.first_wait * pace.factor ** min(attempts - 1, 50))
    own = wait * (0.5 + chance / 2)
    return dt.timedelta(seconds=max(own, min(requested or 0, pace.longest_wait)))


_SECONDS = re.compile(r"0*([0-9]{1,12})")


def seconds_asked(retry_after: str, now: dt.datetime) -> float | None:
    """The seconds that a header Retry-After asks to wait: a number, or a date (RFC 9110, section 10.2.3).

    0 for a date that is over; None for anything else.
    """
    text = retry_after.strip(" \t")
    if found := _SECONDS.fullmatch(text):
        return float(found[1])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The three forms of a date (section 5.6.7) are all in GMT; the oldest does not say so.
    then = date if date.tzinfo else date.replace(tzinfo=dt.UTC)
    return max(0.0, (then - now).total_seconds())
