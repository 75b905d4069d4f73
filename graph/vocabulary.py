"""The enums of the contract: the domain's vocabularies as clients see them."""

from enum import Enum
from typing import Annotated

import strawberry

from db.vocabulary import (
    AccountType,
    AlertKind,
    AlertSeverity,
    AllocationDimension,
    AllocationFigure,
    AssetClass,
    Broker,
    CostMethod,
    DeliveryStatus,
    DestinationKind,
    ExplainedFigure,
    LegStatus,
    OrderSide,
    OrderStatus,
    OrderType,
    PerformanceFigure,
    Period,
    PriceKind,
    RebalanceFrequency,
    RebalanceStatus,
    RebalanceTrigger,
    SkipReason,
    Strategy,
    TargetSource,
    TimeInForce,
    TransactionType,
    UnavailableReason,
    Weekday,
)

__all__ = [
    "AccountType",
    "AlertKind",
    "AlertSeverity",
    "AllocationDimension",
    "AllocationFigure",
    "AssetClass",
    "Broker",
    "CostMethod",
    "DeliveryStatus",
    "DestinationKind",
    "ExplainedFigure",
    "LegStatus",
    "Method",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "PerformanceFigure",
    "Period",
    "PriceKind",
    "RebalanceFrequency",
    "RebalanceStatus",
    "RebalanceTrigger",
    "SkipReason",
    "Strategy",
    "TargetSource",
    "TimeInForce",
    "TransactionType",
    "UnavailableReason",
    "Weekday",
]


def publish(words: type[Enum], description: str, **members: str) -> None:
    """Make the vocabulary a GraphQL enum whose every member is described."""
    strawberry.enum(words, description=description)
    for value in words.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = members[value.name]


publish(
    Broker,
    "Who holds an account's assets.",
    PAPER="Graphfolio's own simulation.",
    ALPACA="Alpaca Securities.",
    INTERACTIVE_BROKERS="Interactive Brokers.",
)
publish(
    AccountType,
    "How an account may use cash.",
    CASH="Only the cash that it has.",
    MARGIN="May have a negative cash balance.",
    RETIREMENT="Only the cash that it has; a retirement account.",
)
publish(
    Strategy,
    "How a portfolio's target weights are determined.",
    MAX_SHARPE="The highest return for its risk.",
    MIN_VARIANCE="The lowest variance.",
    RISK_PARITY="The same risk from every instrument.",
    HIERARCHICAL_RISK_PARITY="Risk allocated along a tree of correlations.",
    MIN_CVAR="The lowest expected loss in the worst cases.",
    EQUAL_WEIGHT="The same weight for every instrument.",
    CUSTOM="The weights that the owner gives.",
    NONE="No strategy: the portfolio is only tracked and not rebalanced.",
)
publish(
    RebalanceFrequency,
    "How often a portfolio is rebalanced automatically.",
    DAILY="Every trading day.",
    WEEKLY="Every week.",
    MONTHLY="Every month.",
    QUARTERLY="Every quarter.",
    YEARLY="Every year.",
)
publish(
    RebalanceStatus,
    "The status of a rebalance.",
    RUNNING="Under way.",
    COMPLETED="Every trade was made.",
    PARTIAL="Some trades were made.",
    FAILED="No trade was made.",
)
publish(
    LegStatus,
    "The status of a planned trade.",
    PLANNED="Not with the broker yet.",
    SUBMITTED="Its order is placed and has not ended.",
    FILLED="All of it was traded.",
    PARTIAL="It has ended, and part of it was traded.",
    SKIPPED="It has ended, and nothing was traded.",
    REJECTED="The broker rejected it.",
)
publish(
    RebalanceTrigger,
    "What started a rebalance.",
    MANUAL="The owner of the portfolio.",
    SCHEDULE="The rebalance frequency of the portfolio.",
    DRIFT="Weights outside the drift band.",
)
publish(
    AssetClass,
    "What kind of thing an instrument is.",
    EQUITY="A share of a company.",
    ETF="An exchange-traded fund.",
    BOND="A bond.",
    FUND="A fund that is not traded on an exchange.",
    CRYPTO="A crypto-asset.",
    COMMODITY="A commodity.",
    OTHER="Anything else.",
)
publish(
    TransactionType,
    "The type of a transaction.",
    BUY="Buying: shares in, cash out.",
    SELL="Selling: shares out, cash in.",
    DIVIDEND="Cash paid out by an instrument.",
    INTEREST="Interest on cash.",
    FEE="A fee.",
    TAX="A tax.",
    DEPOSIT="Cash paid in.",
    WITHDRAWAL="Cash paid out.",
    TRANSFER_IN="Cash or shares transferred in.",
    TRANSFER_OUT="Cash or shares transferred out.",
    SPLIT="New shares in exchange for old ones.",
)
publish(
    CostMethod,
    "The cost method for the gain of a sale.",
    AVERAGE_COST="The average cost of all shares held.",
    FIFO="The cost of the shares sold, the oldest ones first.",
)
publish(
    SkipReason,
    "Why a plan leaves a position off its target.",
    IN_BAND="Its drift is within the drift bands.",
    BUY_ONLY="It would have to be sold, and the plan only buys.",
    OPEN_ORDERS="Open orders already trade as much of it.",
    NO_CASH="There is not enough cash for it.",
    LESS_THAN_A_SHARE="It is less than the smallest tradable fraction of a share.",
    BELOW_MINIMUM="It is less than the portfolio's minimumTrade.",
    COSTS_TOO_MUCH="The commission would consume it.",
    TURNOVER_LIMIT="The limit on turnover leaves too little for it.",
    WORTHLESS="Its price is 0, at which nothing is bought.",
)
publish(
    OrderSide,
    "Whether an order buys or sells.",
    BUY="Buying: shares in, cash out.",
    SELL="Selling: shares out, cash in.",
)
publish(
    OrderType,
    "At what price an order may trade.",
    MARKET="At the current price.",
    LIMIT="At the limit price or a better one.",
)
publish(
    OrderStatus,
    "The status of an order.",
    PENDING="Accepted, but not yet sent to the broker.",
    ACCEPTED="With the broker, nothing filled.",
    PARTIALLY_FILLED="With the broker, something filled.",
    FILLED="All filled.",
    CANCELLED="Cancelled by its owner, or by a split.",
    REJECTED="Rejected by the broker.",
    EXPIRED="Expired by its time in force.",
    UNKNOWN="The broker's response is not known yet.",
)
publish(
    TimeInForce,
    "How long an order stays open.",
    DAY="Until the next close of its market.",
    GTC="Good till cancelled: until it is filled or cancelled.",
)
publish(
    AlertSeverity,
    "How severe an alert is.",
    INFO="For information.",
    WARNING="Worth attention.",
    CRITICAL="Needs attention now.",
)
publish(
    AlertKind,
    "What an alert rule watches.",
    PRICE_ABOVE="A price that rises above the threshold.",
    PRICE_BELOW="A price that falls below the threshold.",
    DAILY_MOVE="A price that moves by more than the threshold in a day.",
    POSITION_WEIGHT="A position whose weight exceeds the threshold.",
    DRIFT="A weight that is further from its target than the threshold.",
    DRAWDOWN="A portfolio that is further below its peak than the threshold.",
    PORTFOLIO_VALUE_BELOW="A portfolio that is worth less than the threshold.",
    CASH_BELOW="A portfolio with less cash than the threshold.",
    REBALANCE_COMPLETED="A rebalance that completed.",
    REBALANCE_FAILED="A rebalance that failed.",
    ORDER_REJECTED="An order that was rejected.",
)
publish(
    PerformanceFigure,
    "A figure of a performance.",
    VALUES="The values at the start and at the end, and the net flow.",
    TIME_WEIGHTED_RETURN="The time-weighted return.",
    ANNUALIZED_RETURN="The time-weighted return per year.",
    MONEY_WEIGHTED_RETURN="The money-weighted return.",
    PERIODS_PER_YEAR="The number of periods in a year, for annualising deviations.",
    VOLATILITY="The volatility.",
    SHARPE_RATIO="The Sharpe ratio.",
    SORTINO_RATIO="The Sortino ratio.",
    MAX_DRAWDOWN="The largest drawdown.",
    BEST_AND_WORST_DAY="The best and the worst day.",
    CONTRIBUTIONS="Contributions by position and by period.",
    BENCHMARK_RETURN="The benchmark's return.",
    EXCESS_RETURN="The return minus the benchmark's.",
    BETA="Beta to the benchmark.",
    CORRELATION="Correlation with the benchmark.",
    TRACKING_ERROR="The tracking error.",
)
publish(
    UnavailableReason,
    "Why a figure is not available.",
    NO_HISTORY="There are no days to compute it from.",
    STALE="The days are waiting to be recomputed.",
    TOO_SHORT="There are too few returns.",
    IRREGULAR_SPACING="The days with prices are not evenly spaced, so that they cannot be annualised.",
    UNDER_ONE_YEAR="An annual figure needs at least 365 days.",
    NO_PRICES="Something held had no price.",
    NO_CASH_FLOWS="There were no payments in, or no payments out.",
    NO_ROOT="No rate solves the equation.",
    SEVERAL_ROOTS="More than one rate solves the equation, or a single one cannot be proved.",
    NO_VARIANCE="There is no variation to divide by.",
    TOTAL_LOSS="More than the whole value was lost on a day.",
    OUT_OF_RANGE="The figure is too large to represent, or too close to a total loss.",
    SEVERAL_CURRENCIES="There are several currencies and no exchange rates.",
    NO_BENCHMARK_PRICES="The benchmark has no prices for these days, or a price of 0.",
    NO_VALUE="The total value is zero or less.",
    NO_TARGETS="There are no target weights.",
    NO_RATE="There is no exchange rate.",
    STALE_RATE="The last exchange rate is too old.",
    RETURN_WITHOUT_CAPITAL="Something was earned while there was no capital.",
    NEGATIVE_CAPITAL="The value was negative at some moment.",
)
publish(
    Period,
    "What a span of time is divided by.",
    MONTH="Calendar months.",
    YEAR="Calendar years.",
)

publish(
    Weekday,
    "A day of the week.",
    **{day.value: f"{day.value.title()}." for day in Weekday},
)

publish(
    DestinationKind,
    "How a notification is delivered.",
    EMAIL="By e-mail; the address is an e-mail address.",
    WEBHOOK="As a signed POST request; the address is an https URL.",
    APPRISE="Through Slack, Telegram, an SMS gateway or another service; the address is its Apprise URL.",
)
publish(
    DeliveryStatus,
    "The status of a delivery.",
    PENDING="Not attempted yet.",
    SENT="Accepted by the receiver.",
    FAILED="Failed, and to be attempted again.",
    DEAD="Given up; retryDelivery starts it again.",
)
publish(
    ExplainedFigure,
    "What can be explained.",
    UNREALIZED_PNL="The unrealised gain of a position.",
    REALIZED_PNL="The realised gain of sales.",
    VALUES="The values at the start and at the end, and the net flow.",
    TIME_WEIGHTED_RETURN="The time-weighted return.",
    ANNUALIZED_RETURN="The time-weighted return per year.",
    MONEY_WEIGHTED_RETURN="The money-weighted return.",
    PERIODS_PER_YEAR="The number of periods in a year, for annualising deviations.",
    VOLATILITY="The volatility.",
    SHARPE_RATIO="The Sharpe ratio.",
    SORTINO_RATIO="The Sortino ratio.",
    MAX_DRAWDOWN="The largest drawdown.",
    BEST_AND_WORST_DAY="The best and the worst day.",
    CONTRIBUTIONS="Contributions by position and by period.",
    BENCHMARK_RETURN="The benchmark's return.",
    EXCESS_RETURN="The return minus the benchmark's.",
    BETA="Beta to the benchmark.",
    CORRELATION="Correlation with the benchmark.",
    TRACKING_ERROR="The tracking error.",
)
publish(
    PriceKind,
    "Where a price comes from.",
    QUOTE="The latest quote.",
    TRADE="The owner's own last trade, where there is no quote.",
    CLOSE="The close of a day.",
    ADJUSTED_CLOSE="The close of a day, adjusted for all later splits and dividends.",
)
publish(
    AllocationDimension,
    "What an allocation is divided by.",
    ASSET_CLASS="The kind of instrument; cash is a separate slice.",
    SYMBOL="The instrument; cash is a separate slice.",
    CURRENCY="The currency; cash belongs to the currency of its account.",
    ACCOUNT="The account, including its cash.",
    PORTFOLIO="The portfolio, including its cash; cash that is in no portfolio is a separate slice.",
)
publish(
    AllocationFigure,
    "A figure of an allocation.",
    VALUE="The value of a slice.",
    WEIGHT="The weight of a slice.",
    TARGET_WEIGHT="The target weight of a slice, and the drift from it.",
)
publish(
    TargetSource,
    "Where target weights come from.",
    OWNER="The owner's own weights, for the strategy CUSTOM.",
    LAST_REBALANCE="The targets of the last rebalance by the portfolio's strategy.",
)

Method = Annotated[CostMethod, strawberry.argument(description="The cost method for the gain.")]
"""How every realised gain describes the argument for its method."""
