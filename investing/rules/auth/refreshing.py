"""What happens to a login when one of its refresh tokens is presented."""

from enum import Enum, auto


class Verdict(Enum):
    """The three things that can be done with a refresh token."""

    ROTATE = auto()
    """It is valid and the newest of its family: mark it as used and issue the next."""

    REFUSE = auto()
    """Its family has ended, or it has expired: refuse it and change nothing."""

    REVOKE = auto()
    """It was used before, so two parties have it and one of them stole it: revoke the family."""


def judge(*, revoked: bool, used: bool, expired: bool, active: bool) -> Verdict:
    """Decide what to do with a refresh token.

    `revoked` is the state of the family, `used` and `expired` of the token, `active` of the user.

    Source: RFC 9700, section 4.14.2: a replayed refresh token revokes what was granted with it. An expired
    token that was used before is still a replay.
    """
    if revoked or not active:
        return Verdict.REFUSE
    if used:
        return Verdict.REVOKE
    return Verdict.REFUSE if expired else Verdict.ROTATE
