"""The closed vocabularies of the domain: one word for each concept in every layer.

Standard library only, so that the pure rules may use the same words.
"""

from enum import StrEnum


class Broker(StrEnum):
    """The broker that holds an account's assets."""

    PAPER = "PAPER"
    ALPACA = "ALPACA"
    INTERACTIVE_BROKERS = "INTERACTIVE_BROKERS"


class PriceBasis(StrEnum):
    """What the closes of an instrument's series are adjusted for: nothing, splits, or dividends as well."""

    RAW = "RAW"
    SPLIT_ADJUSTED = "SPLIT_ADJUSTED"
    ADJUSTED = "ADJUSTED"


class AccountType(StrEnum):
    """How an account may use cash: only MARGIN may have a negative balance."""

    CASH = "CASH"
    MARGIN = "MARGIN"
    RETIREMENT = "RETIREMENT"


class Strategy(StrEnum):
    """How a portfolio's target weights are found; NONE for one that is only tracked."""

    MAX_SHARPE = "MAX_SHARPE"
    MIN_VARIANCE = "MIN_VARIANCE"
    RISK_PARITY = "RISK_PARITY"
    HIERARCHICAL_RISK_PARITY = "HIERARCHICAL_RISK_PARITY"
    MIN_CVAR = "MIN_CVAR"
    EQUAL_WEIGHT = "EQUAL_WEIGHT"
    CUSTOM = "CUSTOM"
    NONE = "NONE"


class RebalanceFrequency(StrEnum):
    """How often a portfolio is rebalanced automatically."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    YEARLY = "YEARLY"


class RebalanceStatus(StrEnum):
    """The status of a rebalance."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class LegStatus(StrEnum):
    """The status of one trade of a rebalance."""

    PLANNED = "PLANNED"
    SUBMITTED = "SUBMITTED"
    FILLED = "FILLED"
    PARTIAL = "PARTIAL"
    SKIPPED = "SKIPPED"
    REJECTED = "REJECTED"


class RebalanceTrigger(StrEnum):
    """What started a rebalance."""

    MANUAL = "MANUAL"
    SCHEDULE = "SCHEDULE"
    DRIFT = "DRIFT"


class SkipReason(StrEnum):
    """Why a plan leaves a position as it is, or trades less of it than its target asks for."""

    IN_BAND = "IN_BAND"
    BUY_ONLY = "BUY_ONLY"
    OPEN_ORDERS = "OPEN_ORDERS"
    NO_CASH = "NO_CASH"
    LESS_THAN_A_SHARE = "LESS_THAN_A_SHARE"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    COSTS_TOO_MUCH = "COSTS_TOO_MUCH"
    TURNOVER_LIMIT = "TURNOVER_LIMIT"
    WORTHLESS = "WORTHLESS"


class AssetClass(StrEnum):
    """The class of an instrument."""

    EQUITY = "EQUITY"
    ETF = "ETF"
    BOND = "BOND"
    FUND = "FUND"
    CRYPTO = "CRYPTO"
    COMMODITY = "COMMODITY"
    OTHER = "OTHER"


class TransactionType(StrEnum):
    """What a transaction did to cash and shares."""

    BUY = "BUY"
    SELL = "SELL"
    DIVIDEND = "DIVIDEND"
    INTEREST = "INTEREST"
    FEE = "FEE"
    TAX = "TAX"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"
    SPLIT = "SPLIT"


class CostMethod(StrEnum):
    """The cost method that a sale's gain is computed by."""

    AVERAGE_COST = "AVERAGE_COST"
    FIFO = "FIFO"


class OrderSide(StrEnum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """At what price an order may trade."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


class BrokerOrderStatus(StrEnum):
    """The status of an order at its broker; what is filled is known from its executions."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class TimeInForce(StrEnum):
    """How long an order stays open."""

    DAY = "DAY"
    GTC = "GTC"


class AlertSeverity(StrEnum):
    """The severity of an alert, least first."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class AlertKind(StrEnum):
    """What an alert rule watches."""

    PRICE_ABOVE = "PRICE_ABOVE"
    PRICE_BELOW = "PRICE_BELOW"
    DAILY_MOVE = "DAILY_MOVE"
    POSITION_WEIGHT = "POSITION_WEIGHT"
    DRIFT = "DRIFT"
    DRAWDOWN = "DRAWDOWN"
    PORTFOLIO_VALUE_BELOW = "PORTFOLIO_VALUE_BELOW"
    CASH_BELOW = "CASH_BELOW"
    REBALANCE_COMPLETED = "REBALANCE_COMPLETED"
    REBALANCE_FAILED = "REBALANCE_FAILED"
    ORDER_REJECTED = "ORDER_REJECTED"


class Topic(StrEnum):
    """What a change notification is about."""

    ALERTS = "alerts"
    ORDERS = "orders"
    LOGINS = "logins"
    PORTFOLIOS = "portfolios"


COUNTED_TOPICS = (Topic.ALERTS, Topic.ORDERS, Topic.LOGINS)
"""The topics whose changes the database counts, so that none is missed.

Portfolios are not among them: each trade would pay for it.
"""


class Weekday(StrEnum):
    """A day of the week, as alert rules name it; stored by its number, 1 for Monday (ISO 8601)."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class DeliveryStatus(StrEnum):
    """The status of a notification."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    DEAD = "DEAD"


class DeliveryKind(StrEnum):
    """The subject of a notification."""

    ALERT = "ALERT"
    DIGEST = "DIGEST"
    CONFIRMATION = "CONFIRMATION"


class DestinationKind(StrEnum):
    """The transport of a notification."""

    EMAIL = "EMAIL"
    WEBHOOK = "WEBHOOK"
    APPRISE = "APPRISE"


class PerformanceFigure(StrEnum):
    """A figure of a performance."""

    VALUES = "VALUES"
    TIME_WEIGHTED_RETURN = "TIME_WEIGHTED_RETURN"
    ANNUALIZED_RETURN = "ANNUALIZED_RETURN"
    MONEY_WEIGHTED_RETURN = "MONEY_WEIGHTED_RETURN"
    PERIODS_PER_YEAR = "PERIODS_PER_YEAR"
    VOLATILITY = "VOLATILITY"
    SHARPE_RATIO = "SHARPE_RATIO"
    SORTINO_RATIO = "SORTINO_RATIO"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    BEST_AND_WORST_DAY = "BEST_AND_WORST_DAY"
    CONTRIBUTIONS = "CONTRIBUTIONS"
    BENCHMARK_RETURN = "BENCHMARK_RETURN"
    EXCESS_RETURN = "EXCESS_RETURN"
    BETA = "BETA"
    CORRELATION = "CORRELATION"
    TRACKING_ERROR = "TRACKING_ERROR"


class UnavailableReason(StrEnum):
    """Why a figure is unavailable."""

    NO_HISTORY = "NO_HISTORY"
    STALE = "STALE"
    TOO_SHORT = "TOO_SHORT"
    IRREGULAR_SPACING = "IRREGULAR_SPACING"
    UNDER_ONE_YEAR = "UNDER_ONE_YEAR"
    NO_PRICES = "NO_PRICES"
    NO_CASH_FLOWS = "NO_CASH_FLOWS"
    NO_ROOT = "NO_ROOT"
    SEVERAL_ROOTS = "SEVERAL_ROOTS"
    NO_VARIANCE = "NO_VARIANCE"
    TOTAL_LOSS = "TOTAL_LOSS"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    SEVERAL_CURRENCIES = "SEVERAL_CURRENCIES"
    NO_BENCHMARK_PRICES = "NO_BENCHMARK_PRICES"
    NO_VALUE = "NO_VALUE"
    NO_TARGETS = "NO_TARGETS"
    NO_RATE = "NO_RATE"
    STALE_RATE = "STALE_RATE"
    RETURN_WITHOUT_CAPITAL = "RETURN_WITHOUT_CAPITAL"
    NEGATIVE_CAPITAL = "NEGATIVE_CAPITAL"


class Period(StrEnum):
    """The period that a span of time is divided into."""

    MONTH = "MONTH"
    YEAR = "YEAR"


class AllocationDimension(StrEnum):
    """The dimension that an allocation is divided by."""

    ASSET_CLASS = "ASSET_CLASS"
    SYMBOL = "SYMBOL"
    CURRENCY = "CURRENCY"
    ACCOUNT = "ACCOUNT"
    PORTFOLIO = "PORTFOLIO"


class AllocationFigure(StrEnum):
    """A figure of a slice of an allocation."""

    VALUE = "VALUE"
    WEIGHT = "WEIGHT"
    TARGET_WEIGHT = "TARGET_WEIGHT"


class TargetSource(StrEnum):
    """The source of target weights."""

    OWNER = "OWNER"
    LAST_REBALANCE = "LAST_REBALANCE"


class ExplainedFigure(StrEnum):
    """The figures that can be explained: profits, and each figure of a performance."""

    UNREALIZED_PNL = "UNREALIZED_PNL"
    REALIZED_PNL = "REALIZED_PNL"
    VALUES = "VALUES"
    TIME_WEIGHTED_RETURN = "TIME_WEIGHTED_RETURN"
    ANNUALIZED_RETURN = "ANNUALIZED_RETURN"
    MONEY_WEIGHTED_RETURN = "MONEY_WEIGHTED_RETURN"
    PERIODS_PER_YEAR = "PERIODS_PER_YEAR"
    VOLATILITY = "VOLATILITY"
    SHARPE_RATIO = "SHARPE_RATIO"
    SORTINO_RATIO = "SORTINO_RATIO"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    BEST_AND_WORST_DAY = "BEST_AND_WORST_DAY"
    CONTRIBUTIONS = "CONTRIBUTIONS"
    BENCHMARK_RETURN = "BENCHMARK_RETURN"
    EXCESS_RETURN = "EXCESS_RETURN"
    BETA = "BETA"
    CORRELATION = "CORRELATION"
    TRACKING_ERROR = "TRACKING_ERROR"


class PriceKind(StrEnum):
    """The source of a price."""

    QUOTE = "QUOTE"
    TRADE = "TRADE"
    CLOSE = "CLOSE"
    ADJUSTED_CLOSE = "ADJUSTED_CLOSE"
