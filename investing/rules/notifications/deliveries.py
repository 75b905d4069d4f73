"""When the delivery of a notification is retried, and when it is given up."""

import datetime as dt
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class DeliveryPolicy:
    """How deliveries are made. Times are in seconds.

    `lease` is how long an attempt may take in all before another process makes the next one; it is longer
    than `timeout`, which is how long a receiver has to answer. After a failure the next attempt waits
    `first_wait`, then `factor` times longer each time up to `longest_wait`; after `most_attempts` the
    delivery is dead. `per_hour` is how many alerts a user is sent in a window of `window` before the rest
    wait for a digest. A destination that fails `give_up_after` times in a row is disabled.
    """

    lease: float = 60
    timeout: float = 15
    first_wait: float = 30
    factor: float = 4
    longest_wait: float = 8 * 3600
    most_attempts: int = 8
    per_hour: int = 60
    window: float = 3600
    give_up_after: int = 40


def next_wait(
    policy: DeliveryPolicy, attempts: int, chance: float, requested: float | None = None
) -> dt.timedelta | None:
    """Return how long to wait after this many failed attempts; None if that was the last one.

    `chance`, from 0 to 1, spreads deliveries that failed together over half of the wait to all of it.
    `requested` is how many seconds the receiver asks to be left alone: the result is never less than our own
    wait, and never more than the longest, so that nobody can put a delivery off for ever.
    """
    if attempts >= policy.most_attempts:
        return None
    # The exponent is bounded, because the power of a large one would overflow.
    wait = min(policy.longest_wait, policy.first_wait * policy.factor ** min(attempts - 1, 50))
    own = wait * (0.5 + chance / 2)
    return dt.timedelta(seconds=max(own, min(requested or 0, policy.longest_wait)))


_SECONDS = re.compile(r"0*([0-9]{1,12})")


def retry_after_seconds(retry_after: str, now: dt.datetime) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: a number or a date; None for anything else.

    A date in the past gives 0. Source: RFC 9110, section 10.2.3.
    """
    text = retry_after.strip(" \t")
    if found := _SECONDS.fullmatch(text):
        return float(found[1])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The three date formats (section 5.6.7) are all in GMT; the oldest does not say so.
    then = date if date.tzinfo else date.replace(tzinfo=dt.UTC)
    return max(0.0, (then - now).total_seconds())
