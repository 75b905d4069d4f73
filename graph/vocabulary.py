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
    PAPER="Nobody: Graphfolio's own simulation.",
    ALPACA="Alpaca Securities.",
    INTERACTIVE_BROKERS="Interactive Brokers.",
)
publish(
    AccountType,
    "How an account may use cash.",
    CASH="Only what is there.",
    MARGIN="May owe cash.",
    RETIREMENT="Only what is there, under a retirement plan.",
)
publish(
    Strategy,
    "How a portfolio's target weights are found.",
    MAX_SHARPE="The highest return for its risk.",
    MIN_VARIANCE="The lowest variance.",
    RISK_PARITY="The same risk from every instrument.",
    HIERARCHICAL_RISK_PARITY="Risk shared out along a tree of correlations.",
    MIN_CVAR="The lowest expected loss in the worst cases.",
    EQUAL_WEIGHT="The same weight for every instrument.",
    CUSTOM="The weights that the owner gives.",
    NONE="None: the portfolio is only tracked, and is not rebalanced.",
)
publish(
    RebalanceFrequency,
    "How often a portfolio that rebalances by itself does so.",
    DAILY="Every trading day.",
    WEEKLY="Every week.",
    MONTHLY="Every month.",
    QUARTERLY="Every quarter.",
    YEARLY="Every year.",
)
publish(
    RebalanceStatus,
    "Where a rebalance stands.",
    RUNNING="Under way.",
    COMPLETED="Every trade was made.",
    PARTIAL="Some trades were made.",
    FAILED="No trade was made.",
)
publish(
    LegStatus,
    "Where one trade of a rebalance stands.",
    PLANNED="Not with the broker yet.",
    SUBMITTED="An order is placed and has not ended.",
    FILLED="All of it is traded.",
    PARTIAL="It has ended, and part of it is traded.",
    SKIPPED="It has ended, and nothing was traded.",
    REJECTED="The broker has refused it.",
)
publish(
    RebalanceTrigger,
    "What started a rebalance.",
    MANUAL="Its owner.",
    SCHEDULE="Its frequency.",
    DRIFT="Weights that left the drift band.",
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
    "What a transaction did.",
    BUY="Shares in, cash out.",
    SELL="Shares out, cash in.",
    DIVIDEND="Cash from an instrument.",
    INTEREST="Cash from cash.",
    FEE="Cash out to the broker.",
    TAX="Cash out to the state.",
    DEPOSIT="Cash in from outside.",
    WITHDRAWAL="Cash out to outside.",
    TRANSFER_IN="Cash or shares in from elsewhere.",
    TRANSFER_OUT="Cash or shares out to elsewhere.",
    SPLIT="New shares for old ones.",
)
publish(
    CostMethod,
    "Which cost the gain of a sale is counted against.",
    AVERAGE_COST="The average cost of all shares that were held.",
    FIFO="The cost of the very shares, the oldest ones sold first.",
)
publish(
    SkipReason,
    "Why a plan leaves a position off its target.",
    IN_BAND="Its drift is within the drift bands.",
    BUY_ONLY="It would have to be sold, and the plan only buys.",
    OPEN_ORDERS="Open orders trade as much of it already.",
    NO_CASH="There is not enough cash for it.",
    LESS_THAN_A_SHARE="It is less than the smallest part of a share that is traded.",
    BELOW_MINIMUM="It is less than the smallest trade of the portfolio.",
    COSTS_TOO_MUCH="The commission would take it all.",
    TURNOVER_LIMIT="The limit on the turnover leaves nothing, or too little, for it.",
    WORTHLESS="Its price is 0, at which nothing is bought.",
)
publish(
    OrderSide,
    "Which way an order trades.",
    BUY="Shares in, cash out.",
    SELL="Shares out, cash in.",
)
publish(
    OrderType,
    "At what price an order may trade.",
    MARKET="At the price there is.",
    LIMIT="At the limit price or better.",
)
publish(
    OrderStatus,
    "Where an order stands.",
    PENDING="Taken, not yet with the broker.",
    ACCEPTED="With the broker, nothing filled.",
    PARTIALLY_FILLED="With the broker, something filled.",
    FILLED="All filled.",
    CANCELLED="Ended by its owner.",
    REJECTED="Ended by the broker or by a rule.",
    EXPIRED="Ended by its time in force.",
    UNKNOWN="The broker's answer is not known yet.",
)
publish(
    TimeInForce,
    "How long an order stays open.",
    DAY="Until the next close of the market.",
    GTC="Until it is filled or cancelled.",
)
publish(
    AlertSeverity,
    "How much an alert matters.",
    INFO="Good to know.",
    WARNING="Worth a look.",
    CRITICAL="Look now.",
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
    "What is said of a performance.",
    VALUES="Values at the beginning and at the end, and the net flow.",
    TIME_WEIGHTED_RETURN="The time-weighted return.",
    ANNUALIZED_RETURN="The time-weighted return per year.",
    MONEY_WEIGHTED_RETURN="The money-weighted return.",
    PERIODS_PER_YEAR="How many periods make a year, by which deviations are annualised.",
    VOLATILITY="The volatility.",
    SHARPE_RATIO="The Sharpe ratio.",
    SORTINO_RATIO="The Sortino ratio.",
    MAX_DRAWDOWN="The deepest fall.",
    BEST_AND_WORST_DAY="The best and the worst day.",
    CONTRIBUTIONS="Contributions by position and by period.",
    BENCHMARK_RETURN="The benchmark's return.",
    EXCESS_RETURN="The return less the benchmark's.",
    BETA="Beta to the benchmark.",
    CORRELATION="Correlation with the benchmark.",
    TRACKING_ERROR="The tracking error.",
)
publish(
    UnavailableReason,
    "Why a figure cannot be told.",
    NO_HISTORY="There is no day to look at.",
    STALE="The days to look at are waiting to be computed anew.",
    TOO_SHORT="There are too few returns.",
    IRREGULAR_SPACING="The days with prices are not evenly spaced, so that no number of them makes a year.",
    UNDER_ONE_YEAR="A yearly figure takes 365 days.",
    NO_PRICES="Something that was held had no price.",
    NO_CASH_FLOWS="Nothing was put in, or nothing came of it.",
    NO_ROOT="No rate fits what was put in and what came of it.",
    SEVERAL_ROOTS="More than one rate fits, or none can be told to be the only one.",
    NO_VARIANCE="There is no variation to divide by.",
    TOTAL_LOSS="More than everything was lost on a day.",
    OUT_OF_RANGE="The figure is larger, or closer to the loss of everything, than can be told.",
    SEVERAL_CURRENCIES="There are several currencies and no exchange rates.",
    NO_BENCHMARK_PRICES="The benchmark has no prices for these days, or one of 0.",
    NO_VALUE="All of it together is worth nothing, or less.",
    NO_TARGETS="There are no target weights.",
    NO_RATE="There is no exchange rate.",
    STALE_RATE="The last exchange rate is too old.",
    RETURN_WITHOUT_CAPITAL="Something was earned while nothing was there to earn it on.",
    NEGATIVE_CAPITAL="At some moment there was less than nothing.",
)
publish(
    Period,
    "By what a span of time is divided.",
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
    "How a notification travels.",
    EMAIL="As an e-mail; the address is one.",
    WEBHOOK="As a signed POST; the address is an https URL.",
    APPRISE="Through Slack, Telegram, an SMS gateway or another service; the address is apprise's URL of it.",
)
publish(
    DeliveryStatus,
    "Where a notification stands.",
    PENDING="Not tried yet.",
    SENT="Taken by the receiver.",
    FAILED="Tried in vain, and to be tried again.",
    DEAD="Given up; retryDelivery begins anew.",
)
publish(
    ExplainedFigure,
    "What can be explained.",
    UNREALIZED_PNL="What a position would gain if it were sold now.",
    REALIZED_PNL="What sales gained.",
    VALUES="Values at the beginning and at the end, and the net flow.",
    TIME_WEIGHTED_RETURN="The time-weighted return.",
    ANNUALIZED_RETURN="The time-weighted return per year.",
    MONEY_WEIGHTED_RETURN="The money-weighted return.",
    PERIODS_PER_YEAR="How many periods make a year, by which deviations are annualised.",
    VOLATILITY="The volatility.",
    SHARPE_RATIO="The Sharpe ratio.",
    SORTINO_RATIO="The Sortino ratio.",
    MAX_DRAWDOWN="The deepest fall.",
    BEST_AND_WORST_DAY="The best and the worst day.",
    CONTRIBUTIONS="Contributions by position and by period.",
    BENCHMARK_RETURN="The benchmark's return.",
    EXCESS_RETURN="The return less the benchmark's.",
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
    ADJUSTED_CLOSE="The close of a day as if all later splits and dividends had been before.",
)
publish(
    AllocationDimension,
    "By what a whole is divided into slices.",
    ASSET_CLASS="The kind of instrument; cash is a slice of its own.",
    SYMBOL="The instrument; cash is a slice of its own.",
    CURRENCY="The currency; cash is in that of its account.",
    ACCOUNT="The account, with its cash.",
    PORTFOLIO="The portfolio, with its cash; what no portfolio has been given is a slice of its own.",
)
publish(
    AllocationFigure,
    "What is said of a slice.",
    VALUE="What it is worth.",
    WEIGHT="Its part of the whole.",
    TARGET_WEIGHT="What its part ought to be, and its drift from that.",
)
publish(
    TargetSource,
    "Where target weights come from.",
    OWNER="The owner, for the strategy CUSTOM.",
    LAST_REBALANCE="The last rebalance by the portfolio's strategy, which was to reach them.",
)

Method = Annotated[CostMethod, strawberry.argument(description="The cost that gains are counted against.")]
"""How every realised gain takes its method."""
