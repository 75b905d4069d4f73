"""User errors: what a mutation refuses, as concrete types with the facts that mend it."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import strawberry

from db.canonical import decimal, instant
from graph.errors import FieldError
from graph.ids import global_id
from graph.vocabulary import Broker, DeliveryStatus, OrderStatus
from investing.rules import errors
from investing.rules.errors import DomainError


@strawberry.interface(description="Why a mutation did nothing. Each kind has a type of its own.")
class UserError:
    code: str = strawberry.field(description="What went wrong, for programs.")
    message: str = strawberry.field(description="What went wrong and what to do, for people.")
    field: list[str] | None = strawberry.field(description="The input field that it is about, as a path.")


@strawberry.type(description="A value that makes no sense here.")
class InvalidInput(UserError):
    pass


@strawberry.type(description="Nothing of yours has this id.")
class NotFound(UserError):
    pass


@strawberry.type(description="Another of the same kind has this name already.")
class NameTaken(UserError):
    pass


@strawberry.type(description="Somebody uses this e-mail address already.")
class EmailTaken(UserError):
    pass


@strawberry.type(description="The password is too short or too long.")
class WeakPassword(UserError):
    min_length: int = strawberry.field(description="How many characters it has at least.")


@strawberry.type(description="The name or the password is wrong; which of them is not told.")
class WrongCredentials(UserError):
    pass


@strawberry.type(description="The refresh token is used up, revoked, expired or none of ours.")
class InvalidRefreshToken(UserError):
    pass


@strawberry.type(description="The account is archived.")
class Inactive(UserError):
    pass


@strawberry.type(description="The portfolio is archived.")
class PortfolioInactive(UserError):
    pass


@strawberry.type(description="No instrument has this symbol.")
class UnknownInstrument(UserError):
    symbol: str = strawberry.field(description="The symbol that is not known.")


@strawberry.type(description="The instrument trades in another currency than the portfolio's.")
class CurrencyMismatch(UserError):
    expected: str = strawberry.field(description="The portfolio's currency.")
    actual: str = strawberry.field(description="The instrument's currency.")


@strawberry.interface(description="More is asked for than there is.")
class Shortage:
    required: Decimal = strawberry.field(description="How much is needed.")
    available: Decimal = strawberry.field(description="How much is there.")
    shortfall: Decimal = strawberry.field(description="How much is missing.")
    on_date: dt.date | None = strawberry.field(description="The day on which it is missing, if not today.")
    transaction_id: strawberry.ID | None = strawberry.field(
        description="The id of the later transaction that needs it, where reverseImport names one."
    )


@strawberry.type(description="Cash would fall below zero.")
class InsufficientCash(UserError, Shortage):
    pass


@strawberry.type(description="More shares would go out than are held.")
class InsufficientShares(UserError, Shortage):
    pass


@strawberry.type(
    description="The transaction, or the import, has been reversed before: see `Transaction.reversedBy` or "
    "`Import.reversedAt`."
)
class AlreadyReversed(UserError):
    pass


@strawberry.type(description="The idempotency key was used before, for something else.")
class IdempotencyMismatch(UserError):
    pass


@strawberry.type(description="The instrument has no price, which a MARKET order needs.")
class NoPrice(UserError):
    symbol: str = strawberry.field(description="The instrument's symbol.")


@strawberry.type(description="The price is older than a MARKET order may trust.")
class StalePrice(UserError):
    symbol: str = strawberry.field(description="The instrument's symbol.")
    price_as_of: dt.datetime | None = strawberry.field(description="When the price was made.")
    oldest: dt.datetime | None = strawberry.field(description="From when on a price would have done.")


@strawberry.type(description="The position would be larger than the portfolio's maxPositionSize.")
class PositionTooLarge(UserError):
    symbol: str = strawberry.field(description="The instrument's symbol.")
    weight: Decimal | None = strawberry.field(
        description="The weight that it would have; null where the portfolio is worth nothing."
    )
    max_position_size: Decimal = strawberry.field(description="The largest weight that it may have.")
    largest_value: Decimal = strawberry.field(
        description="The most that the position may be worth, in the portfolio's currency."
    )


@strawberry.type(description="The order has ended already.")
class OrderNotOpen(UserError):
    status: OrderStatus = strawberry.field(description="How it ended.")


@strawberry.type(description="The broker refused the order.")
class OrderRejected(UserError):
    broker_code: str = strawberry.field(description="The broker's own word for why.")


@strawberry.type(description="The account's broker is not connected, or does not answer.")
class BrokerUnavailable(UserError):
    broker: Broker = strawberry.field(description="The account's broker.")


@strawberry.type(description="Prices or holdings have moved the plan since you have seen it.")
class PlanChanged(UserError):
    planned: str = strawberry.field(description="The hash of the plan that you have seen.")
    current: str = strawberry.field(description="The hash of the plan of now, which `rebalancePlan` shows.")


@strawberry.type(description="A rebalance of this portfolio has not ended yet.")
class RebalanceRunning(UserError):
    pass


@strawberry.type(description="The portfolio is worth nothing: there is nothing to plan with.")
class WorthNothing(UserError):
    total_value: Decimal = strawberry.field(description="The portfolio's total value.")


@strawberry.type(description="The portfolio has no symbols to choose from, and holds nothing.")
class EmptyUniverse(UserError):
    pass


@strawberry.type(description="There are fewer daily prices than the portfolio looks back on.")
class InsufficientHistory(UserError):
    symbol: str = strawberry.field(description="The instrument that has the fewest.")
    available_days: int = strawberry.field(description="How many daily returns all of them have in common.")
    required_days: int = strawberry.field(description="How many are needed: the portfolio's lookBackDays.")
    last_date: dt.date | None = strawberry.field(description="The latest day that all of them have.")


@strawberry.type(description="Positions of the portfolio's maxPositionSize cannot add up to the whole.")
class InfeasibleCap(UserError):
    positions: int = strawberry.field(description="How many positions there are to choose from.")
    max_position_size: Decimal = strawberry.field(description="The largest weight that each may have.")
    least_size: Decimal = strawberry.field(description="The least that it would have to be.")


@strawberry.type(description="Some instruments move exactly like others, or not at all.")
class SingularCovariance(UserError):
    symbols: list[str] = strawberry.field(description="The instruments that it is about.")


@strawberry.type(description="Nothing has gained anything on average: there is no largest Sharpe ratio.")
class NoExcessReturn(UserError):
    pass


@strawberry.type(description="Too many plans are being made at once.")
class OptimiserBusy(UserError):
    pass


@strawberry.type(description="The optimiser found no answer, or none in time.")
class OptimiserFailed(UserError):
    pass


@strawberry.type(description="You have no destination of this name, or it cannot be sent to.")
class UnknownDestination(UserError):
    name: str = strawberry.field(description="The name.")


@strawberry.type(description="Nothing is sent to such an address.")
class AddressRefused(UserError):
    pass


@strawberry.type(description="This server cannot send to destinations of this kind.")
class KindUnavailable(UserError):
    pass


@strawberry.type(description="Not the code that was sent, or one that is void.")
class WrongCode(UserError):
    attempts_left: int = strawberry.field(description="How often one can try before a new code is needed.")


@strawberry.type(description="As many as there can be, or as can be asked for within an hour.")
class LimitReached(UserError):
    limit: int = strawberry.field(description="How many that is.")


@strawberry.type(description="The delivery was made, or is still being tried.")
class DeliveryNotDead(UserError):
    delivery_status: DeliveryStatus = strawberry.field(description="Where it stands.")


USER_ERRORS: dict[type[DomainError], type[UserError]] = {
    errors.InvalidInput: InvalidInput,
    errors.NotFound: NotFound,
    errors.NameTaken: NameTaken,
    errors.EmailTaken: EmailTaken,
    errors.WeakPassword: WeakPassword,
    errors.WrongCredentials: WrongCredentials,
    errors.InvalidRefreshToken: InvalidRefreshToken,
    errors.Inactive: Inactive,
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
    """The refusal as its type; `inside` is the argument that its field belongs to."""
    kind = USER_ERRORS[type(domain_error)]
    facts = {
        name: _of(name, getattr(domain_error, name))
        for name in kind.__dataclass_fields__
        if name not in ("code", "message", "field")
    }
    path = [*inside, *domain_error.field] if domain_error.field else None
    return kind(code=domain_error.code, message=domain_error.message, field=path, **facts)


def _of(name: str, fact: object) -> object:
    return global_id("Transaction", fact) if name == "transaction_id" and isinstance(fact, UUID) else fact


def field_error(domain_error: DomainError) -> FieldError:
    """The refusal as the error of a field that is no mutation: its code, and its facts beside it."""
    reported = user_error(domain_error)
    facts = {
        words[0] + "".join(word.title() for word in words[1:]): _fact(getattr(reported, name))
        for name in type(reported).__dataclass_fields__
        if name not in ("code", "message", "field") and (words := name.split("_"))
    }
    return FieldError(reported.message, domain_error.code, **facts)


def _fact(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal(value)
    if isinstance(value, dt.datetime):
        return instant(value)
    return value.isoformat() if isinstance(value, dt.date) else value
