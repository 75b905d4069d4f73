"""User errors: a mutation's refusals, as concrete types with the facts needed to correct them."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import strawberry

from db.canonical import decimal, instant
from graph.codes import UserErrorCode
from graph.context import Info
from graph.errors import FieldError
from graph.ids import global_id
from graph.loaders.market import InstrumentBySymbol
from graph.node import INSTRUMENT, Node, object_of
from graph.vocabulary import Broker, DeliveryStatus, OrderStatus
from investing.rules import errors
from investing.rules.errors import DomainError


@strawberry.interface(description="The reason why a mutation did nothing. Each kind has its own type.")
class UserError:
    code: UserErrorCode = strawberry.field(description="What went wrong, for programs.")
    message: str = strawberry.field(description="What went wrong and what to do, for people.")
    field: list[str] | None = strawberry.field(description="The path of the input field concerned.")


@strawberry.type
class _OfInstrument:
    """Fields that are common to the errors about an existing instrument."""

    symbol: str = strawberry.field(description="The instrument's symbol.")

    @strawberry.field(description="The instrument.", graphql_type=INSTRUMENT | None)
    async def instrument(self, info: Info) -> Node | None:
        row = await info.context.loader(InstrumentBySymbol).load(self.symbol)
        return None if row is None else object_of(INSTRUMENT, row)


@strawberry.type(description="A value that is not allowed here.")
class InvalidInput(UserError):
    pass


@strawberry.type(description="You have nothing with this id.")
class NotFound(UserError):
    pass


@strawberry.type(description="The name is already in use.")
class NameTaken(UserError):
    pass


@strawberry.type(description="The e-mail address is already in use.")
class EmailTaken(UserError):
    pass


@strawberry.type(description="The password is too short or too long.")
class WeakPassword(UserError):
    min_length: int = strawberry.field(description="The minimum number of characters.")


@strawberry.type(description="The username or the password is wrong; which one is not said.")
class WrongCredentials(UserError):
    pass


@strawberry.type(description="The refresh token is used, revoked, expired or unknown.")
class InvalidRefreshToken(UserError):
    pass


@strawberry.type(description="The account is archived.")
class AccountInactive(UserError):
    pass


@strawberry.type(description="The portfolio is archived.")
class PortfolioInactive(UserError):
    pass


@strawberry.type(description="No instrument has this symbol.")
class UnknownInstrument(UserError):
    symbol: str = strawberry.field(description="The unknown symbol.")


@strawberry.type(description="The instrument trades in a different currency from the portfolio's.")
class CurrencyMismatch(UserError):
    expected: str = strawberry.field(description="The portfolio's currency.")
    actual: str = strawberry.field(description="The instrument's currency.")


@strawberry.interface(description="There is not enough of something.")
class Shortage:
    required: Decimal = strawberry.field(description="The amount needed.")
    available: Decimal = strawberry.field(description="The amount available.")
    shortfall: Decimal = strawberry.field(description="The amount missing.")
    on_date: dt.date | None = strawberry.field(
        description="The day on which there is not enough, if not today."
    )
    transaction_id: strawberry.ID | None = strawberry.field(
        description="The id of the later transaction that needs it, if reverseImport names one."
    )


@strawberry.type(description="Cash would fall below zero.")
class InsufficientCash(UserError, Shortage):
    pass


@strawberry.type(description="There are not enough shares.")
class InsufficientShares(UserError, Shortage):
    pass


@strawberry.type(
    description="The transaction or the import has already been reversed; see `Transaction.reversedBy` or "
    "`Import.reversedAt`."
)
class AlreadyReversed(UserError):
    pass


@strawberry.type(description="The idempotency key was used before for something else.")
class IdempotencyMismatch(UserError):
    pass


@strawberry.type(description="The instrument has no price, which a MARKET order needs.")
class NoPrice(UserError, _OfInstrument):
    pass


@strawberry.type(description="The price is too old for a MARKET order.")
class StalePrice(UserError, _OfInstrument):
    price_as_of: dt.datetime | None = strawberry.field(description="The time of the price.")
    oldest: dt.datetime | None = strawberry.field(
        description="The earliest time that would have been accepted."
    )


@strawberry.type(description="The position would exceed the portfolio's maxPositionSize.")
class PositionTooLarge(UserError, _OfInstrument):
    weight: Decimal | None = strawberry.field(
        description="The weight that it would have; null if the portfolio is worth nothing."
    )
    max_position_size: Decimal = strawberry.field(description="The maximum weight.")
    largest_value: Decimal = strawberry.field(
        description="The maximum value of the position, in the portfolio's currency."
    )


@strawberry.type(description="The order has already ended.")
class OrderNotOpen(UserError):
    status: OrderStatus = strawberry.field(description="How it ended.")


@strawberry.type(description="The broker rejected the order.")
class OrderRejected(UserError):
    broker_code: str = strawberry.field(description="The broker's own code for the reason.")


@strawberry.type(description="The account's broker is not connected, or does not answer.")
class BrokerUnavailable(UserError):
    broker: Broker = strawberry.field(description="The account's broker.")


@strawberry.type(description="The portfolio is only tracked: it has no strategy that says what to trade.")
class NoStrategy(UserError):
    pass


@strawberry.type(description="Prices or holdings have changed the plan since you saw it.")
class PlanChanged(UserError):
    planned: str = strawberry.field(description="The hash of the plan that you have seen.")
    current: str = strawberry.field(description="The hash of the present plan, which `rebalancePlan` shows.")


@strawberry.type(description="A rebalance of this portfolio has not ended yet.")
class RebalanceRunning(UserError):
    pass


@strawberry.type(description="The portfolio is worth nothing, so that nothing can be planned.")
class WorthNothing(UserError):
    total_value: Decimal = strawberry.field(description="The portfolio's total value.")


@strawberry.type(description="The portfolio has no symbols to choose from and holds nothing.")
class EmptyUniverse(UserError):
    pass


@strawberry.type(description="There are fewer daily prices than the portfolio looks back on.")
class InsufficientHistory(UserError, _OfInstrument):
    symbol: str = strawberry.field(description="The symbol of the instrument with the fewest prices.")
    available_days: int = strawberry.field(
        description="The number of daily returns that all of them have in common."
    )
    required_days: int = strawberry.field(
        description="The number of daily returns needed: the portfolio's lookBackDays."
    )
    last_date: dt.date | None = strawberry.field(description="The latest day that all of them have.")


@strawberry.type(
    description="Positions of at most the portfolio's maxPositionSize cannot add up to the whole."
)
class InfeasibleCap(UserError):
    positions: int = strawberry.field(description="The number of positions to choose from.")
    max_position_size: Decimal = strawberry.field(description="The maximum weight of each.")
    least_size: Decimal = strawberry.field(description="The smallest value that would work.")


@strawberry.type(description="Some instruments move exactly like others, or not at all.")
class SingularCovariance(UserError):
    symbols: list[str] = strawberry.field(description="The symbols of the instruments concerned.")


@strawberry.type(
    description="No instrument has gained anything on average, so that there is no largest Sharpe ratio."
)
class NoExcessReturn(UserError):
    pass


@strawberry.type(description="Too many plans are being made at once.")
class OptimiserBusy(UserError):
    pass


@strawberry.type(description="The optimiser found no solution, or none in time.")
class OptimiserFailed(UserError):
    pass


@strawberry.type(description="You have no destination of this name, or it cannot be sent to.")
class UnknownDestination(UserError):
    name: str = strawberry.field(description="The name.")


@strawberry.type(description="Nothing is sent to this address.")
class AddressRefused(UserError):
    pass


@strawberry.type(description="This server cannot send to destinations of this kind.")
class KindUnavailable(UserError):
    pass


@strawberry.type(description="The code is wrong or no longer valid.")
class WrongCode(UserError):
    attempts_left: int = strawberry.field(
        description="The number of attempts left before a new code is needed."
    )


@strawberry.type(description="A limit is reached: on a number of objects, or on requests within a time.")
class LimitReached(UserError):
    limit: int = strawberry.field(description="The limit.")


@strawberry.type(description="The delivery was made, or is still being tried.")
class DeliveryNotDead(UserError):
    delivery_status: DeliveryStatus = strawberry.field(description="Its status.")


USER_ERRORS: dict[type[DomainError], type[UserError]] = {
    errors.InvalidInput: InvalidInput,
    errors.NotFound: NotFound,
    errors.NameTaken: NameTaken,
    errors.EmailTaken: EmailTaken,
    errors.WeakPassword: WeakPassword,
    errors.WrongCredentials: WrongCredentials,
    errors.InvalidRefreshToken: InvalidRefreshToken,
    errors.AccountInactive: AccountInactive,
    errors.PortfolioInactive: PortfolioInactive,
    errors.UnknownInstrument: UnknownInstrument,
    errors.CurrencyMismatch: CurrencyMismatch,
    errors.InsufficientCash: InsufficientCash,
    errors.InsufficientShares: InsufficientShares,
    errors.AlreadyReversed: AlreadyReversed,
    errors.IdempotencyMismatch: IdempotencyMismatch,
    errors.NoPrice: NoPrice,
    errors.StalePrice: StalePrice,
    errors.PositionTooLarge: PositionTooLarge,
    errors.OrderNotOpen: OrderNotOpen,
    errors.OrderRejected: OrderRejected,
    errors.BrokerUnavailable: BrokerUnavailable,
    errors.NoStrategy: NoStrategy,
    errors.PlanChanged: PlanChanged,
    errors.RebalanceRunning: RebalanceRunning,
    errors.WorthNothing: WorthNothing,
    errors.EmptyUniverse: EmptyUniverse,
    errors.InsufficientHistory: InsufficientHistory,
    errors.InfeasibleCap: InfeasibleCap,
    errors.SingularCovariance: SingularCovariance,
    errors.NoExcessReturn: NoExcessReturn,
    errors.OptimiserBusy: OptimiserBusy,
    errors.OptimiserFailed: OptimiserFailed,
    errors.UnknownDestination: UnknownDestination,
    errors.AddressRefused: AddressRefused,
    errors.KindUnavailable: KindUnavailable,
    errors.WrongCode: WrongCode,
    errors.LimitReached: LimitReached,
    errors.DeliveryNotDead: DeliveryNotDead,
}


def user_error(domain_error: DomainError, inside: tuple[str, ...] = ()) -> UserError:
    """Return the refusal as its type; `inside` is the argument that its field belongs to."""
    kind = USER_ERRORS[type(domain_error)]
    facts = {
        name: _of(name, getattr(domain_error, name))
        for name in kind.__dataclass_fields__
        if name not in ("code", "message", "field", "instrument")
    }
    path = [*inside, *domain_error.field] if domain_error.field else None
    return kind(code=domain_error.code, message=domain_error.message, field=path, **facts)


def _of(name: str, fact: object) -> object:
    return global_id("Transaction", fact) if name == "transaction_id" and isinstance(fact, UUID) else fact


def field_error(domain_error: DomainError) -> FieldError:
    """Return the refusal as the error of a field outside a mutation: its code, and its facts beside it."""
    reported = user_error(domain_error)
    facts = {
        words[0] + "".join(word.title() for word in words[1:]): _fact(getattr(reported, name))
        for name in type(reported).__dataclass_fields__
        if name not in ("code", "message", "field", "instrument") and (words := name.split("_"))
    }
    return FieldError(reported.message, domain_error.code, **facts)


def _fact(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal(value)
    if isinstance(value, dt.datetime):
        return instant(value)
    return value.isoformat() if isinstance(value, dt.date) else value
