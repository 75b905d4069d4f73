"""The enums of the contract: the domain's vocabularies as clients see them."""

from enum import Enum
from typing import Annotated

import strawberry

from db.vocabulary import (
    AccountType,
    AlertKind,
    AlertSeverity,
    AssetClass,
    Broker,
    CostMethod,
    DeliveryStatus,
    DestinationKind,
    OrderSide,
    OrderStatus,
    OrderType,
    RebalanceFrequency,
    RebalanceStatus,
    RebalanceTrigger,
    Strategy,
    TimeInForce,
    TransactionType,
    Weekday,
)

__all__ = [
    "AccountType",
    "AlertKind",
    "AlertSeverity",
    "AssetClass",
    "Broker",
    "CostMethod",
    "DeliveryStatus",
    "DestinationKind",
    "Method",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "RebalanceFrequency",
    "RebalanceStatus",
    "RebalanceTrigger",
    "Strategy",
    "TimeInForce",
    "TransactionType",
    "Weekday",
]


def _publish(words: type[Enum], description: str, **members: str) -> None:
    """Makes the vocabulary a GraphQL enum whose every member is described."""
    strawberry.enum(words, description=description)
    for value in words.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = members[value.name]


_publish(
    Broker,
    "Who holds an account's assets.",
    PAPER="Nobody: Graphfolio's own simulation.",
    ALPACA="Alpaca Securities.",
    INTERACTIVE_BROKERS="Interactive Brokers.",
)
_publish(
    AccountType,
    "How an account may use cash.",
    CASH="Only what is there.",
    MARGIN="May owe cash.",
    RETIREMENT="Only what is there, under a retirement plan.",
)
_publish(
    Strategy,
    "How a portfolio's target weights are found.",
    MAX_SHARPE="The highest return for its risk.",
    MIN_VARIANCE="The lowest variance.",
    RISK_PARITY="The same risk from every instrument.",
    HIERARCHICAL_RISK_PARITY="Risk shared out along a tree of correlations.",
    MIN_CVAR="The lowest expected loss in the worst cases.",
    EQUAL_WEIGHT="The same weight for every instrument.",
    CUSTOM="The weights that the owner gives.",
)
_publish(
    RebalanceFrequency,
    "How often a portfolio that rebalances by itself does so.",
    DAILY="Every trading day.",
    WEEKLY="Every week.",
    MONTHLY="Every month.",
    QUARTERLY="Every quarter.",
    YEARLY="Every year.",
)
_publish(
    RebalanceStatus,
    "Where a rebalance stands.",
    RUNNING="Under way.",
    COMPLETED="Every trade was made.",
    PARTIAL="Some trades were made.",
    FAILED="No trade was made.",
)
_publish(
    RebalanceTrigger,
    "What started a rebalance.",
    MANUAL="Its owner.",
    SCHEDULE="Its frequency.",
    DRIFT="Weights that left the drift band.",
)
_publish(
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
_publish(
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
_publish(
    CostMethod,
    "Which cost the gain of a sale is counted against.",
    AVERAGE_COST="The average cost of all shares that were held.",
    FIFO="The cost of the very shares, the oldest ones sold first.",
)
_publish(
    OrderSide,
    "Which way an order trades.",
    BUY="Shares in, cash out.",
    SELL="Shares out, cash in.",
)
_publish(
    OrderType,
    "At what price an order may trade.",
    MARKET="At the price there is.",
    LIMIT="At the limit price or better.",
)
_publish(
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
_publish(
    TimeInForce,
    "How long an order stays open.",
    DAY="Until the next close of the market.",
    GTC="Until it is filled or cancelled.",
)
_publish(
    AlertSeverity,
    "How much an alert matters.",
    INFO="Good to know.",
    WARNING="Worth a look.",
    CRITICAL="Look now.",
)
_publish(
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

_publish(
    Weekday,
    "A day of the week.",
    **{day.value: f"{day.value.title()}." for day in Weekday},
)

_publish(
    DestinationKind,
    "How a notification travels.",
    EMAIL="As an e-mail; the address is one.",
    WEBHOOK="As a signed POST; the address is an https URL.",
    APPRISE="Through Slack, Telegram, an SMS gateway or another service; the address is apprise's URL of it.",
)
_publish(
    DeliveryStatus,
    "Where a notification stands.",
    PENDING="Not tried yet.",
    SENT="Taken by the receiver.",
    FAILED="Tried in vain, and to be tried again.",
    DEAD="Given up; retryDelivery begins anew.",
)

Method = Annotated[CostMethod, strawberry.argument(description="The cost that gains are counted against.")]
"""How every realised gain takes its method."""
