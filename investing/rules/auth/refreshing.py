"""What becomes of a login when one of its refresh tokens is shown."""

from enum import Enum, auto


class Verdict(Enum):
    """The three things that can be done with a refresh token."""

    ROTATE = auto()
    """It is the newest of its family and good: mark it used and hand out the next."""

    REFUSE = auto()
    """Its family has ended or it is too old: say no, nothing changes."""

    REVOKE = auto()
    """It was used before, so two parties have it and one of them is a thief: the family ends."""


def judge(*, revoked: bool, used: bool, expired: bool, active: bool) -> Verdict:
    """Decides; `revoked` is the family's state, `used` and `expired` the token's, `active` the user's.

    RFC 9700, section 4.14.2: a replayed refresh token revokes what was granted with it. An expired one is
    still a replay when it was used before.
    """
    if revoked or not active:
        return Verdict.REFUSE
    if used:
        return Verdict.REVOKE
    return Verdict.REFUSE if expired else Verdict.ROTATE
