"""The codes of the contract, as enums that say what each of them means."""

from db.codes import LegReason, RejectionCode, UserErrorCode
from graph.vocabulary import publish

__all__ = ["LegReason", "RejectionCode", "UserErrorCode", "rejection_code_of"]

publish(
    UserErrorCode,
    "Why a mutation did nothing. Each code has a type of its own, which implements UserError.",
    INVALID_INPUT="A value that is not allowed here.",
    NOT_FOUND="You have nothing with this id.",
    NAME_TAKEN="The name is in use.",
    EMAIL_TAKEN="The e-mail address is in use.",
    WEAK_PASSWORD="The password is too short or too long.",
    WRONG_CREDENTIALS="The username or the password is wrong.",
    INVALID_REFRESH_TOKEN="The refresh token is not valid.",
    ACCOUNT_INACTIVE="The account is archived.",
    PORTFOLIO_INACTIVE="The portfolio is archived.",
    UNKNOWN_INSTRUMENT="No instrument has this symbol.",
    CURRENCY_MISMATCH="The instrument trades in a different currency from the portfolio's.",
    INSUFFICIENT_CASH="There is not enough cash.",
    INSUFFICIENT_SHARES="There are not enough shares.",
    ALREADY_REVERSED="It has been reversed already.",
    IDEMPOTENCY_MISMATCH="The idempotency key was used for something else.",
    NO_PRICE="The instrument has no price.",
    STALE_PRICE="The price is too old.",
    POSITION_TOO_LARGE="The position would exceed the portfolio's maxPositionSize.",
    ORDER_NOT_OPEN="The order has ended.",
    ORDER_REJECTED="The broker rejected the order.",
    BROKER_UNAVAILABLE="The broker is not connected, or does not answer.",
    NO_STRATEGY="The portfolio has no strategy.",
    PLAN_CHANGED="The plan has changed since you saw it.",
    REBALANCE_RUNNING="A rebalance of this portfolio is running.",
    WORTH_NOTHING="The portfolio is worth nothing.",
    EMPTY_UNIVERSE="There is nothing to choose from.",
    INSUFFICIENT_HISTORY="There are too few daily prices.",
    INFEASIBLE_CAP="Positions of at most maxPositionSize cannot add up to the whole.",
    SINGULAR_COVARIANCE="Some instruments move exactly like others, or not at all.",
    NO_EXCESS_RETURN="No instrument has gained anything on average.",
    OPTIMISER_BUSY="Too many plans are being made at once.",
    OPTIMISER_FAILED="The optimiser found no solution, or none in time.",
    UNKNOWN_DESTINATION="You have no such destination, or it cannot be sent to.",
    ADDRESS_REFUSED="Nothing is sent to this address.",
    KIND_UNAVAILABLE="This server cannot send to destinations of this kind.",
    WRONG_CODE="The code is wrong or no longer valid.",
    LIMIT_REACHED="A limit is reached.",
    DELIVERY_NOT_DEAD="The delivery was made, or is still being tried.",
)
publish(
    RejectionCode,
    "Why an order was rejected or ended.",
    UNKNOWN_SYMBOL="The broker does not know the symbol.",
    NO_PRICE="There was no price to trade at.",
    PRICE_MOVED="The price moved beyond what was reserved.",
    SPLIT="After a split of the instrument nothing was left to trade, or too little to pay for it.",
    OTHER="Another reason of the broker's; see rejectionReason.",
)
publish(
    LegReason,
    "Why not all of a planned trade was made.",
    INSUFFICIENT_CASH="There was not enough cash.",
    INSUFFICIENT_SHARES="There were not enough shares.",
    NO_PRICE="There was no price.",
    STALE_PRICE="The price was too old.",
    PRICE_MOVED="The price moved beyond what was reserved.",
    POSITION_TOO_LARGE="The position would have exceeded maxPositionSize.",
    PORTFOLIO_INACTIVE="The portfolio was archived.",
    ACCOUNT_INACTIVE="The account was archived.",
    UNKNOWN_INSTRUMENT="There was no instrument of this symbol.",
    UNKNOWN_SYMBOL="The broker did not know the symbol.",
    CURRENCY_MISMATCH="The instrument trades in a different currency from the portfolio's.",
    BROKER_UNAVAILABLE="The broker was not connected, or did not answer.",
    INVALID_INPUT="The order was not valid any more.",
    ORDER_CANCELLED="The order was cancelled before all of it was traded.",
    ORDER_EXPIRED="The order expired before all of it was traded.",
    OTHER="Another reason; see message.",
)


def rejection_code_of(stored: str | None) -> RejectionCode | None:
    """Return the code of a stored rejection: OTHER for a broker's own code, None for none."""
    if stored is None:
        return None
    return RejectionCode(stored) if stored in frozenset(RejectionCode) else RejectionCode.OTHER
