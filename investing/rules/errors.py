"""Expected failures: what a rule or a service refuses, with the data that the client needs to fix it.

Each has a code, one sentence, and the path of the input field that it concerns.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self
from uuid import UUID

from db.codes import UserErrorCode

LONGEST_SHOWN = 40
"""So many characters of a text that a client sent are repeated in an error at most."""


def shortened(text: str) -> str:
    """Return a text as an error may repeat it: the whole of it, or its beginning and an ellipsis."""
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


# Not frozen: a frozen exception cannot be given its own traceback.
@dataclass(eq=False)
class DomainError(Exception):
    """A request that is valid in form but refused by a rule or a service."""

    code: ClassVar[UserErrorCode]

    message: str
    field: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class InvalidInput(DomainError):
    """A value that is not valid here."""

    code = UserErrorCode.INVALID_INPUT


@dataclass(eq=False)
class NotFound(DomainError):
    """The viewer owns nothing with this id; whether it belongs to somebody else is not revealed."""

    code = UserErrorCode.NOT_FOUND


@dataclass(eq=False)
class NameTaken(DomainError):
    """Another object of the same kind already has this name."""

    code = UserErrorCode.NAME_TAKEN


@dataclass(eq=False)
class EmailTaken(DomainError):
    """Someone has already registered with this e-mail address."""

    code = UserErrorCode.EMAIL_TAKEN
    message: str = "This e-mail address is registered already."
    field: tuple[str, ...] = ("email",)


@dataclass(eq=False)
class WeakPassword(DomainError):
    """The password is too short; `min_length` is in characters."""

    code = UserErrorCode.WEAK_PASSWORD
    message: str = ""
    field: tuple[str, ...] = ("password",)
    min_length: int = 10

    def __post_init__(self) -> None:
        self.message = self.message or f"A password has at least {self.min_length} characters."


@dataclass(eq=False)
class WrongCredentials(DomainError):
    """Unknown user, wrong password or deactivated user; which of them is not revealed."""

    code = UserErrorCode.WRONG_CREDENTIALS
    message: str = "The username or the password is wrong."


@dataclass(eq=False)
class InvalidRefreshToken(DomainError):
    """A refresh token that is malformed, unknown, used, expired or revoked; which of them is not revealed."""

    code = UserErrorCode.INVALID_REFRESH_TOKEN
    message: str = "This refresh token is not valid. Log in again."
    field: tuple[str, ...] = ("refreshToken",)


@dataclass(eq=False)
class AccountInactive(DomainError):
    """The account is archived."""

    code = UserErrorCode.ACCOUNT_INACTIVE
    message: str = "The account is archived: restore it first."


@dataclass(eq=False)
class PortfolioInactive(DomainError):
    """The portfolio is archived."""

    code = UserErrorCode.PORTFOLIO_INACTIVE
    message: str = "The portfolio is archived: restore it first."
    field: tuple[str, ...] = ("portfolioId",)


@dataclass(eq=False)
class UnknownInstrument(DomainError):
    """No instrument has this symbol."""

    code = UserErrorCode.UNKNOWN_INSTRUMENT
    symbol: str = ""

    @classmethod
    def named(cls, symbol: str, field: tuple[str, ...] = ()) -> Self:
        """Return the error for a text that may be anything; see `shortened`."""
        symbol = shortened(symbol)
        return cls(f"There is no instrument {symbol}.", field, symbol=symbol)


@dataclass(eq=False)
class CurrencyMismatch(DomainError):
    """The instrument trades in a currency other than the portfolio's."""

    code = UserErrorCode.CURRENCY_MISMATCH
    expected: str = ""
    actual: str = ""


@dataclass(eq=False)
class InsufficientCash(DomainError):
    """Cash would fall below zero: now or, for a back-dated entry, on a later day.

    `transaction_id` is the later transaction that needs the cash, where one is known.
    """

    code = UserErrorCode.INSUFFICIENT_CASH
    required: Decimal = Decimal(0)
    available: Decimal = Decimal(0)
    on_date: dt.date | None = None
    transaction_id: UUID | None = None

    @property
    def shortfall(self) -> Decimal:
        """The amount that is missing."""
        return self.required - self.available


@dataclass(eq=False)
class InsufficientShares(DomainError):
    """More would be sold than is held: now or, for a back-dated entry, on a later day.

    `transaction_id` is the later transaction that needs the shares, where one is known.
    """

    code = UserErrorCode.INSUFFICIENT_SHARES
    required: Decimal = Decimal(0)
    available: Decimal = Decimal(0)
    on_date: dt.date | None = None
    transaction_id: UUID | None = None

    @property
    def shortfall(self) -> Decimal:
        """The quantity that is missing."""
        return self.required - self.available


@dataclass(eq=False)
class AlreadyReversed(DomainError):
    """The transaction or the import has already been reversed, which is possible only once."""

    code = UserErrorCode.ALREADY_REVERSED


@dataclass(eq=False)
class IdempotencyMismatch(DomainError):
    """The key has already been used for a different request."""

    code = UserErrorCode.IDEMPOTENCY_MISMATCH


@dataclass(eq=False)
class NoPrice(DomainError):
    """The instrument has no quote, which a MARKET order needs."""

    code = UserErrorCode.NO_PRICE
    symbol: str = ""


@dataclass(eq=False)
class StalePrice(DomainError):
    """The quote is too old for a MARKET order; `oldest` is the earliest time that would be accepted now."""

    code = UserErrorCode.STALE_PRICE
    symbol: str = ""
    price_as_of: dt.datetime | None = None
    oldest: dt.datetime | None = None


@dataclass(eq=False)
class PositionTooLarge(DomainError):
    """A buy would make the position larger than the portfolio's maxPositionSize.

    `weight` is the weight that the position would have, None if the portfolio is worth nothing;
    `largest_value` is the most that the position may be worth.
    """

    code = UserErrorCode.POSITION_TOO_LARGE
    symbol: str = ""
    weight: Decimal | None = None
    max_position_size: Decimal = Decimal(0)
    largest_value: Decimal = Decimal(0)


@dataclass(eq=False)
class OrderNotOpen(DomainError):
    """The order has ended, so there is nothing to cancel; `status` says how it ended."""

    code = UserErrorCode.ORDER_NOT_OPEN
    status: str = ""


@dataclass(eq=False)
class OrderRejected(DomainError):
    """The broker rejected the order; `broker_code` is the broker's own code for the reason."""

    code = UserErrorCode.ORDER_REJECTED
    broker_code: str = ""


@dataclass(eq=False)
class BrokerUnavailable(DomainError):
    """The account's broker is not connected or does not answer."""

    code = UserErrorCode.BROKER_UNAVAILABLE
    broker: str = ""


@dataclass(eq=False)
class NoStrategy(DomainError):
    """The portfolio is only tracked: it has no strategy."""

    code = UserErrorCode.NO_STRATEGY
    message: str = "The portfolio has no strategy: choose one, for this once or with updatePortfolio."
    field: tuple[str, ...] = ("strategy",)


@dataclass(eq=False)
class PlanChanged(DomainError):
    """Prices or holdings have changed the plan since it was previewed; both fields are hashes of plans."""

    code = UserErrorCode.PLAN_CHANGED
    planned: str = ""
    current: str = ""


@dataclass(eq=False)
class RebalanceRunning(DomainError):
    """A rebalance of this portfolio has not ended yet."""

    code = UserErrorCode.REBALANCE_RUNNING
    message: str = "A rebalance of this portfolio is already running: wait until it has ended."
    field: tuple[str, ...] = ("portfolioId",)


@dataclass(eq=False)
class WorthNothing(DomainError):
    """The portfolio's total value is not above zero, so it has no weights and nothing to trade with."""

    code = UserErrorCode.WORTH_NOTHING
    message: str = "The portfolio is worth nothing: deposit cash first."
    total_value: Decimal = Decimal(0)


@dataclass(eq=False)
class EmptyUniverse(DomainError):
    """The strategy has nothing to choose from: no symbols are set, and nothing is held."""

    code = UserErrorCode.EMPTY_UNIVERSE
    message: str = "The strategy has nothing to choose from: set the portfolio's symbols, or buy a position."


@dataclass(eq=False)
class InsufficientHistory(DomainError):
    """An instrument, or the universe as a whole, has fewer daily returns than the look-back requires.

    `symbol` is the instrument with the fewest, `available_days` the number of days that the universe has in
    common, and `last_date` the latest of those days.
    """

    code = UserErrorCode.INSUFFICIENT_HISTORY
    symbol: str = ""
    available_days: int = 0
    required_days: int = 0
    last_date: dt.date | None = None


@dataclass(eq=False)
class InfeasibleCap(DomainError):
    """So few positions cannot add up to 1 under the cap on their size.

    `least_size` is the smallest cap that works.
    """

    code = UserErrorCode.INFEASIBLE_CAP
    positions: int = 0
    max_position_size: Decimal = Decimal(0)
    least_size: Decimal = Decimal(0)


@dataclass(eq=False)
class SingularCovariance(DomainError):
    """The covariance matrix of these instruments' returns is singular, so no best mix of them exists."""

    code = UserErrorCode.SINGULAR_COVARIANCE
    message: str = (
        "Some of the instruments have moved exactly like others, or not at all, so that no best mix of them "
        "exists: leave one of them out, or look back further."
    )
    symbols: tuple[str, ...] = ()


@dataclass(eq=False)
class NoExcessReturn(DomainError):
    """Nothing in the universe has gained anything on average, so no Sharpe ratio is positive."""

    code = UserErrorCode.NO_EXCESS_RETURN
    message: str = (
        "None of the instruments has gained anything on average over the look-back, so that there is no "
        "largest Sharpe ratio: look back further, or choose another strategy."
    )


@dataclass(eq=False)
class OptimiserBusy(DomainError):
    """Too many plans are already waiting for the optimiser."""

    code = UserErrorCode.OPTIMISER_BUSY
    message: str = "Many plans are being made: try again in a few seconds."


@dataclass(eq=False)
class OptimiserFailed(DomainError):
    """The optimiser found no solution, or none in time."""

    code = UserErrorCode.OPTIMISER_FAILED
    message: str = "The optimiser found no solution: try again, or choose fewer symbols or another strategy."


@dataclass(eq=False)
class UnknownDestination(DomainError):
    """The viewer has no destination of this name, or it is not ready to receive messages."""

    code = UserErrorCode.UNKNOWN_DESTINATION
    name: str = ""


@dataclass(eq=False)
class AddressRefused(DomainError):
    """The address is one that nothing may be sent to."""

    code = UserErrorCode.ADDRESS_REFUSED


@dataclass(eq=False)
class KindUnavailable(DomainError):
    """This server cannot send to destinations of this kind."""

    code = UserErrorCode.KIND_UNAVAILABLE


@dataclass(eq=False)
class WrongCode(DomainError):
    """The code is not the one that was sent, or it is void; `attempts_left` counts down to a new code."""

    code = UserErrorCode.WRONG_CODE
    attempts_left: int = 0


@dataclass(eq=False)
class LimitReached(DomainError):
    """The maximum number, or the maximum number of requests in an hour, has been reached: `limit`."""

    code = UserErrorCode.LIMIT_REACHED
    limit: int = 0


@dataclass(eq=False)
class DeliveryNotDead(DomainError):
    """The delivery has been made or is still being attempted; `delivery_status` says which."""

    code = UserErrorCode.DELIVERY_NOT_DEAD
    delivery_status: str = ""
