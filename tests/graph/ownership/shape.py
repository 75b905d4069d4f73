"""The schema as introspection tells it, with every argument and every type put into a known class.

What is in none of them fails the tests: a new field joins them by being named here, and so is walked.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    get_named_type,
    introspection_from_schema,
)

from graph.schema import build_schema
from tests.graph.conftest import PASSWORD, now
from tests.graph.ownership.people import TABLES

SCHEMA: GraphQLSchema = build_client_schema(introspection_from_schema(build_schema()._schema))

OWNED = frozenset({*TABLES, "User"})
"""Types whose every object belongs to one user."""

PARTS = {
    "UserSummary": "User",
    "PriceBar": "Instrument",
    "InstrumentSplit": "Instrument",
    "Warning": "Transaction",
    "LotUse": "Transaction",
    "ImportOutcome": "Transaction",
    "Performance": "Portfolio",
    "UnavailableFigure": "Portfolio",
    "FigureNote": "Portfolio",
    "MaxDrawdown": "Portfolio",
    "DayReturn": "Portfolio",
    "BenchmarkComparison": "Portfolio",
    "Contribution": "Portfolio",
    "PeriodPerformance": "Portfolio",
    "ExplanationInput": "Portfolio",
    "PriceUsed": "Instrument",
    "UnrealizedPnlExplanation": "Position",
    "RealizedPnlExplanation": "Transaction",
    "SalesExplanation": "Portfolio",
    "PerformanceExplanation": "Portfolio",
    "SubPeriod": "Portfolio",
    "Payment": "Portfolio",
    "Allocation": "Portfolio",
    "AllocationSlice": "Portfolio",
    "UnavailableAllocation": "Portfolio",
    "RebalanceLeg": "Rebalance",
    "AlertEvent": "Alert",
    "PortfolioValue": "Portfolio",
    "Quote": "Instrument",
    "AlertCounts": "User",
    "ActiveHours": "AlertRule",
    "AlertRuleFiring": "Portfolio",
    "RebalancePlan": "Portfolio",
    "Weight": "Portfolio",
    "WeightTarget": "Portfolio",
    "AlertMetric": "Alert",
    "PlannedTrade": "Portfolio",
    "SkippedTarget": "Portfolio",
    "UnavailableValue": "Portfolio",
}
"""Types without an id, by what they are a part of."""

KEYS = frozenset({"idempotencyKey"})
"""IDs that the client makes up: they name nothing, and count for their owner alone."""

CURSORS = frozenset({"after", "before"})

LEADING = frozenset({"benchmark", "by"})
"""Optional arguments without which a field further below leads nowhere."""

LEFT_OUT = object()
"""An optional field that a valid input of this kind does without."""

SAMPLES: dict[str, Any] = {
    # Arguments of lists.
    "first": 3,
    "last": LEFT_OUT,
    "isActive": True,
    "severity": "INFO",
    "types": ["BUY"],
    "statuses": ["PARTIALLY_FILLED"],
    "minSeverity": "INFO",
    "User.alerts.kind": "PRICE_ABOVE",
    "since": "2000-01-01T00:00:00Z",
    "acknowledged": False,
    "status": "PARTIALLY_FILLED",
    "from": "2000-01-01",
    "to": "2100-01-01",
    "search": "A",
    "Portfolio.transactions.type": "BUY",
    "method": "FIFO",
    "benchmark": "AAPL",
    "riskFree": "0.01",
    "by": "YEAR",
    "figure": "TIME_WEIGHTED_RETURN",
    "allocation.by": "SYMBOL",
    "Portfolio.allocation.by": "SYMBOL",
    "Account.allocation.by": "PORTFOLIO",
    "User.allocation.by": "ACCOUNT",
    # Input fields, some by the input that they are in.
    "name": lambda: f"new {uuid.uuid4()}",
    "broker": "PAPER",
    "accountType": "CASH",
    "currency": "USD",
    "initialBalance": "1",
    "isPaper": True,
    "strategy": "EQUAL_WEIGHT",
    "CreatePortfolioInput.strategy": "CUSTOM",
    "UpdatePortfolioInput.strategy": "CUSTOM",
    "riskTolerance": "0.5",
    "maxPositionSize": "1",
    "autoRebalance": False,
    "rebalanceFrequency": "MONTHLY",
    "driftBand": "0.1",
    "fractionalShares": True,
    "minimumTrade": "1",
    "relativeDriftBand": "0.2",
    "cashReserve": "0.01",
    "maxTrade": "1",
    "maxTurnover": "2",
    "lookBackDays": 252,
    "taxAware": True,
    "buyOnly": True,
    "initialCash": "0",
    "weight": "0.5",
    "planHash": LEFT_OUT,
    # Everybody has one of their own called so.
    "TickInput.symbol": "OWN",
    "CreateInstrumentInput.symbol": lambda: uuid.uuid4().hex[:20].upper(),
    "assetClass": "FUND",
    "exchange": "Over the counter",
    "isin": "US0378331005",
    "symbol": "AAPL",
    "symbols": ["AAPL"],
    "RecordTransactionInput.type": "BUY",
    "RecordTransactionInput.amount": LEFT_OUT,
    "ImportRowInput.type": "DEPOSIT",
    "ImportRowInput.symbol": LEFT_OUT,
    "ImportRowInput.quantity": LEFT_OUT,
    "ImportRowInput.price": LEFT_OUT,
    "dryRun": False,
    "skipBad": False,
    "adjustedQuantities": False,
    "exDate": "1990-01-02",
    # It rests: nothing is that cheap.
    "PlaceOrderInput.type": "LIMIT",
    "side": "BUY",
    "limitPrice": "0.01",
    "notional": LEFT_OUT,
    "timeInForce": "GTC",
    "amount": "1",
    "quantity": "1",
    "price": "1",
    "commission": "0",
    "splitFor": LEFT_OUT,
    "ImportRowInput.place": LEFT_OUT,
    "executedAt": now,
    "notes": "notes",
    "asOf": now,
    # Nobody there has so little cash, and no price is so high.
    "CreateAlertRuleInput.kind": "CASH_BELOW",
    "CreateAlertRuleInput.symbol": LEFT_OUT,
    "CreateAlertRuleInput.threshold": "0.01",
    "TestAlertRuleInput.kind": "CASH_BELOW",
    "TestAlertRuleInput.symbol": LEFT_OUT,
    "TestAlertRuleInput.threshold": "0.01",
    "UpdateAlertRuleInput.threshold": "900000000",
    "hysteresis": "0.01",
    "cooldownSeconds": 60,
    "channels": ["mail"],
    "start": "09:00",
    "end": "17:30",
    "timeZone": "UTC",
    "weekdays": ["MONDAY"],
    "CreateNotificationDestinationInput.kind": "WEBHOOK",
    "address": "https://example.org/hook",
    # The destination is confirmed already.
    "code": "ABCDEFGH",
    "label": lambda: f"new {uuid.uuid4()}",
    "apiKey": "PK0123456789",
    "apiSecret": "hush",
    # Logging in, which has tests of its own.
    "username": lambda: f"u{uuid.uuid4().hex[:20]}",
    "email": lambda: f"{uuid.uuid4().hex}@example.org",
    "password": PASSWORD,
    "fullName": "Somebody",
    "refreshToken": "none",
}
"""A valid value for each argument and input field that is no id: by `Type.field` or by name."""

_ID_NAME = re.compile(r"(^id|Id|_id|ID|[uU]uid)s?$")


class Unknown(AssertionError):
    """Something in the schema that the walker has no class for."""


@dataclass(frozen=True)
class Position:
    """A place in the variables of an operation where the id of an owned type goes."""

    path: tuple[str, ...]
    type_name: str
    is_list: bool

    def put(self, variables: dict[str, Any], id: str) -> dict[str, Any]:
        """The same variables with this id here."""
        head, *rest = self.path
        if not rest:
            return {**variables, head: [id] if self.is_list else id}
        inner, here = replace(self, path=tuple(rest)), variables[head]
        return {
            **variables,
            head: [inner.put(e, id) for e in here] if isinstance(here, list) else inner.put(here, id),
        }


def node_types() -> list[GraphQLObjectType]:
    """Every type that has an id."""
    return list(SCHEMA.get_implementations(SCHEMA.type_map["Node"]).objects)  # type: ignore[arg-type]


def is_id(name: str, argument: GraphQLArgument | GraphQLInputField) -> bool:
    """Whether it takes an id, going by its type or, should it be a plain text, by its name."""
    if name in KEYS:
        return False
    return get_named_type(argument.type).name == "ID" or _ID_NAME.search(name) is not None


def owned_type_of(field: str, name: str) -> str:
    """Whose id goes there: `fromPortfolioId` and the `ids` of `acknowledgeAlerts` say it."""
    stem = field if name in ("id", "ids") else re.sub(r"Ids?$", "", name)
    stem = stem.lower().removesuffix("s")
    fitting = [type_name for type_name in OWNED if stem.endswith(type_name.lower())]
    if not fitting:
        raise Unknown(f"{field}: the walker does not know whose id `{name}` is")
    return max(fitting, key=len)


def positions(name: str, field: GraphQLField) -> list[Position]:
    """Every place of a mutation where an id of an owned type goes, however deep in its input."""
    return [
        Position(path, owned_type_of(name, path[-1]), _is_list(argument))
        for path, argument in _leaves(field.args)
        if is_id(path[-1], argument)
    ]


def _leaves(
    fields: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], GraphQLArgument | GraphQLInputField]]:
    for name, field in fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLInputObjectType):
            yield from _leaves(inner.fields, (*path, name))
        else:
            yield (*path, name), field


def inputs_of(arguments: Iterable[GraphQLArgument | GraphQLInputField]) -> set[str]:
    """The inputs that these take, and those within them."""
    inner = [get_named_type(argument.type) for argument in arguments]
    inputs = [type_ for type_ in inner if isinstance(type_, GraphQLInputObjectType)]
    deeper = [inputs_of(type_.fields.values()) for type_ in inputs]
    return {type_.name for type_ in inputs}.union(*deeper)


def _is_list(argument: GraphQLArgument | GraphQLInputField) -> bool:
    type_ = argument.type.of_type if isinstance(argument.type, GraphQLNonNull) else argument.type
    return isinstance(type_, GraphQLList)


def valid(field_name: str, fields: dict[str, Any], ids: dict[str, str], where: str = "") -> dict[str, Any]:
    """Values for these arguments or input fields that the server accepts, with ids from `ids`."""
    values: dict[str, Any] = {}
    for name, field in fields.items():
        inner = get_named_type(field.type)
        if name in KEYS:
            values[name] = str(uuid.uuid4())
        elif is_id(name, field):
            id = ids[owned_type_of(field_name, name)]
            values[name] = [id] if _is_list(field) else id
        elif isinstance(inner, GraphQLInputObjectType):
            nested = valid(field_name, inner.fields, ids, inner.name)
            values[name] = [nested] if _is_list(field) else nested
        else:
            value = _sample(where or field_name, name)
            if value is not LEFT_OUT:
                values[name] = value
    return values


def _sample(where: str, name: str) -> Any:
    for key in (f"{where}.{name}", name):
        if key in SAMPLES:
            value = SAMPLES[key]
            return value() if callable(value) else value
    raise Unknown(f"{where}.{name}: the walker has no sample value for it; add one to SAMPLES")
