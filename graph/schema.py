"""The schema, composed of each concept's queries and mutations."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from graph import user_errors
from graph.account.mutations import AccountMutation
from graph.alerts.mutations import AlertMutation
from graph.alerts.subscriptions import AlertSubscription
from graph.alerts.types import Alert, AlertRule
from graph.auth.api_keys import ApiKeyMutation
from graph.auth.me import MeMutation
from graph.auth.mutations import AuthMutation
from graph.auth.queries import AuthQuery
from graph.auth.records import ApiKey, AuditEntry
from graph.inputs import build_flat_inputs_quickly
from graph.market.mutations import MarketMutation
from graph.market.queries import MarketQuery
from graph.market.subscriptions import MarketSubscription
from graph.notifications.mutations import NotificationMutation
from graph.notifications.types import Delivery, NotificationDestination
from graph.portfolio.mutations import PortfolioMutation
from graph.portfolio.subscriptions import PortfolioSubscription
from graph.rebalancing.mutations import RebalancingMutation
from graph.rebalancing.subscriptions import RebalancingSubscription
from graph.scalars import SCALARS
from graph.trading.importing import ImportMutation
from graph.trading.imports import ReverseImportMutation
from graph.trading.mutations import TradingMutation
from graph.trading.orders import OrderMutation
from graph.trading.queries import TradingQuery
from graph.trading.subscriptions import TradingSubscription


@strawberry.type(description="All queries.")
class Query(AuthQuery, MarketQuery, TradingQuery):
    pass


@strawberry.type(description="All mutations. Several in one document run one after another.")
class Mutation(
    AuthMutation,
    MeMutation,
    ApiKeyMutation,
    AccountMutation,
    PortfolioMutation,
    TradingMutation,
    OrderMutation,
    ImportMutation,
    ReverseImportMutation,
    RebalancingMutation,
    MarketMutation,
    AlertMutation,
    NotificationMutation,
):
    pass


@strawberry.type(description="All subscriptions.")
class Subscription(
    AlertSubscription,
    MarketSubscription,
    PortfolioSubscription,
    RebalancingSubscription,
    TradingSubscription,
):
    pass


def build_schema() -> strawberry.Schema:
    """Build the schema, with the limits that apply to every operation."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            *user_errors.USER_ERRORS.values(),
            Alert,
            AlertRule,
            ApiKey,
            AuditEntry,
            Delivery,
            NotificationDestination,
        ],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    build_flat_inputs_quickly(schema)
    return schema
