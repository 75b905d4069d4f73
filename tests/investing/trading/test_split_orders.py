"""Open orders and levels across a split: none fills or fires by a price that is for another share."""

import datetime as dt
import json
from decimal import Decimal as D
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.alerts.portfolio_checks import portfolios_of
from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity, OrderSide, OrderType, TimeInForce
from investing.actor import Actor
from investing.alerts.rules import NewAlertRule, create_rule
from investing.brokers.paper import PaperBroker
from investing.market.splits import record_split
from investing.prices.evaluator import Evaluator
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees, OrderRequest
from investing.rules.trading.splits import SplitRatio
from investing.trading.desk import Desk
from investing.trading.placing import NewOrder
from investing.trading.split_work import Splitting
from tests.investing.exchange import Exchange
from tests.investing.ticks import apply_tick
from tests.investing.trading.desks import desk_of

NOW = dt.datetime.now(dt.UTC)
TODAY = market_day(NOW)

ORDER = """
SELECT row_to_json(o) FROM (
    SELECT o.status, trim_scale(o.quantity)::text AS quantity, trim_scale(o.limit_price)::text AS limit,
           trim_scale(o.filled_quantity)::text AS filled, trim_scale(o.reserved_cash)::text AS reserved,
           o.rejection_code, trim_scale(p.quantity)::text AS at_broker, p.status AS status_there
    FROM orders o LEFT JOIN paper_orders p ON p.client_order_id = o.client_order_id WHERE o.id = $1) o
"""


FREE = BrokerFees()


class Scene:
    """A user with cash, an instrument that stood at 30 yesterday, and a desk."""

    def __init__(self, sessions: Sessions, exchange: Exchange, fees: BrokerFees = FREE) -> None:
        self.sessions, self.exchange, self.fees = sessions, exchange, fees
        self.desk: Desk = desk_of(sessions, PaperBroker(sessions, fees))
        self.actor: Actor
        self.portfolio_id: UUID
        self.symbol = ""

    async def open(self, cash: str = "10000") -> "Scene":
        self.actor, self.portfolio_id = await self.exchange.trader(cash)
        self.symbol = await self.exchange.listed()
        await apply_tick(self.sessions, self.desk, self.symbol, D(30), NOW - dt.timedelta(days=1))
        return self

    async def place(self, side: OrderSide, quantity: str, limit: str) -> UUID:
        """A GTC order of yesterday."""
        request = OrderRequest(side, OrderType.LIMIT, D(quantity), None, D(limit), TimeInForce.GTC)
        id = await self.desk.place(
            self.actor, NewOrder(self.portfolio_id, self.symbol, request), str(uuid4())
        )
        for table, column in (("orders", "submitted_at"), ("paper_orders", "created_at")):
            await self.exchange.run(
                f"UPDATE {table} SET {column} = {column} - interval '1 day' WHERE client_order_id = $1", id
            )
        return id

    async def hold(self, quantity: str) -> None:
        """Shares that were bought yesterday."""
        request = OrderRequest(OrderSide.BUY, OrderType.MARKET, D(quantity), None, None, TimeInForce.DAY)
        await self.desk.place(self.actor, NewOrder(self.portfolio_id, self.symbol, request), str(uuid4()))
        await self.was_yesterday()

    async def was_yesterday(self) -> None:
        """Whatever was traded, was a day before."""
        for statement in (
            "UPDATE transactions SET executed_at = executed_at - interval '1 day' "
            "WHERE owner_id = $1 AND instrument_id IS NOT NULL",
            "UPDATE lots SET opened_at = opened_at - interval '1 day' WHERE owner_id = $1",
            "UPDATE paper_executions SET executed_at = executed_at - interval '1 day' "
            "WHERE client_order_id IN (SELECT client_order_id FROM orders WHERE owner_id = $1)",
        ):
            await self.exchange.run(statement, self.actor.id)

    async def split(self, new: str, old: str = "1", days_ago: int = 0) -> None:
        ex_date = TODAY - dt.timedelta(days=days_ago)
        await record_split(self.actor, self.symbol, SplitRatio(ex_date, D(new), D(old)))

    async def job(self) -> None:
        await Splitting(self.sessions, self.fees).post_due()

    async def tick(self, price: str) -> None:
        await apply_tick(self.sessions, self.desk, self.symbol, D(price), dt.datetime.now(dt.UTC))

    async def order(self, id: UUID) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(str(await self.exchange.value(ORDER, id)))
        return found

    async def held(self) -> str:
        return str(
            await self.exchange.value(
                "SELECT trim_scale(quantity) || ' ' || trim_scale(reserved_quantity) FROM positions "
                "WHERE owner_id = $1",
                self.actor.id,
            )
        )

    async def close(self) -> None:
        """`verify` finds nothing."""
        found = await self.exchange.differences()
        assert [line for line in found if str(self.actor.id) in line] == []


@pytest.fixture
async def scene(sessions: Sessions, exchange: Exchange) -> Any:
    made = await Scene(sessions, exchange).open()
    yield made
    await made.close()


async def test_a_resting_limit_does_not_fill_by_a_price_of_after_the_split(scene: Scene) -> None:
    id = await scene.place(OrderSide.BUY, "10", "29")
    await scene.split("4")
    # A tick of the ex-date before the job has run: 8.34 for a new share are 33.36 for an old one.
    await scene.tick("8.34")
    assert (await scene.order(id))["status"] == "ACCEPTED"
    for _ in "twice":
        await scene.job()
        order = await scene.order(id)
        assert (order["quantity"], order["limit"], order["reserved"]) == ("40", "7.25", "290")
        assert order["at_broker"] == "40"
    await scene.desk.attend()
    assert (await scene.order(id))["status"] == "ACCEPTED"
    # The quotes of the new day are held against the new level.
    await scene.tick("7.2")
    order = await scene.order(id)
    assert (order["status"], order["filled"], await scene.held()) == ("FILLED", "40", "40 0")


@pytest.mark.parametrize("order", [("4", "2"), ("2", "4")])
async def test_splits_that_become_known_in_either_order(scene: Scene, order: tuple[str, str]) -> None:
    """4 for 1 two days ago and 2 for 1 today: what rests since the day before has the product of both."""
    id = await scene.place(OrderSide.BUY, "10", "24")
    rule = await create_rule(scene.actor, below(scene, AlertKind.PRICE_BELOW, "20", "4"))
    long_ago = "- interval '3 days'"
    for statement in (
        f"UPDATE orders SET submitted_at = submitted_at {long_ago} WHERE client_order_id = $1",
        f"UPDATE paper_orders SET created_at = created_at {long_ago} WHERE client_order_id = $1",
        f"UPDATE quotes SET as_of = as_of {long_ago}, previous_price = 28 WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
        f"UPDATE alert_rules SET units_of = (units_of {long_ago})::date WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
        f"UPDATE alert_watches SET units_of = (units_of {long_ago})::date WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
    ):
        await scene.exchange.run(statement, id)
    for new in order:
        await scene.split(new, days_ago=2 if new == "4" else 0)
        for _ in range(2):
            await scene.job()
    found = await scene.order(id)
    assert (found["quantity"], found["limit"], found["at_broker"]) == ("80", "3", "80")
    level = "trim_scale(threshold)::text || '/' || trim_scale(hysteresis)"
    for table, column in (("alert_rules", "id"), ("alert_watches", "rule_id")):
        assert (
            await scene.exchange.value(f"SELECT {level} FROM {table} WHERE {column} = $1", rule) == "2.5/0.5"
        )
    quote = (
        "SELECT trim_scale(price) || ' ' || trim_scale(previous_price) FROM quotes WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)"
    )
    assert await scene.exchange.value(quote, id) == "3.75 3.5"
    await scene.tick("2.9")
    assert (await scene.order(id))["status"] == "FILLED"


async def test_a_quote_of_the_new_day_that_came_first_still_counts(scene: Scene) -> None:
    id = await scene.place(OrderSide.BUY, "10", "29")
    await scene.split("4")
    await scene.tick("7.2")
    assert (await scene.order(id))["filled"] == "0"
    await scene.job()
    await scene.desk.attend()
    # 7.2 is below 29 / 4: that is what 28.8 was before.
    assert (await scene.order(id))["filled"] == "40"


async def test_a_sale_keeps_its_shares(scene: Scene) -> None:
    await scene.hold("100")
    id = await scene.place(OrderSide.SELL, "100", "40")
    await scene.split("4")
    await scene.job()
    assert (await scene.held(), (await scene.order(id))["limit"]) == ("400 400", "10")
    await scene.tick("10")
    assert await scene.held() == "0 0"


async def test_a_reverse_split_of_all_that_is_for_sale(scene: Scene) -> None:
    await scene.hold("3")
    ids = [await scene.place(OrderSide.SELL, "1", "40") for _ in range(3)]
    await scene.split("1", "3")
    await scene.job()
    # A third each, rounded down, of exactly one share.
    assert [(await scene.order(id))["quantity"] for id in ids] == ["0.333333333333333333"] * 3
    assert await scene.held() == "1 0.999999999999999999"


async def test_an_order_of_whole_shares_ends_where_only_parts_are_left(scene: Scene) -> None:
    await scene.hold("4")
    id = await scene.place(OrderSide.SELL, "4", "40")
    await scene.exchange.run(
        "UPDATE portfolios SET fractional_shares = false WHERE owner_id = $1", scene.actor.id
    )
    await scene.split("1", "3")
    await scene.job()
    order = await scene.order(id)
    assert (order["status"], order["rejection_code"], order["status_there"]) == (
        "CANCELLED",
        "SPLIT",
        "CANCELLED",
    )
    assert await scene.held() == "1.333333333333333333 0"


async def test_what_was_traded_before_the_split_is_put_on_the_ledger_first(
    sessions: Sessions, exchange: Exchange
) -> None:
    scene = await Scene(sessions, exchange, BrokerFees(shares_per_tick=D(4))).open()
    id = await scene.place(OrderSide.BUY, "10", "31")
    # Four at once, and four more by another tick of yesterday, whose fill the desk has not been told of.
    await exchange.run(
        "UPDATE quotes SET as_of = as_of + interval '1 hour' WHERE instrument_id = "
        "(SELECT id FROM instruments WHERE symbol = $1)",
        scene.symbol,
    )
    await PaperBroker(sessions, scene.fees).executions()
    await scene.was_yesterday()
    await scene.split("4")
    await scene.job()
    order = await scene.order(id)
    # Eight old shares are traded, which are 32 now; two more were wanted, and so eight new ones are.
    assert (order["filled"], order["quantity"], order["limit"]) == ("8", "16", "7.75")
    assert (await scene.held()).split()[0] == "32"
    await scene.close()


async def test_rules_on_portfolios_know_no_price_until_the_split_is_posted(scene: Scene) -> None:
    async def seen() -> tuple[list[str], list[str | None]]:
        async with scene.sessions.nobody() as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.user_id', $1, true)", str(scene.actor.id))
            (row,) = await portfolios_of(connection, scene.actor.id)
            return row["quantities"], row["prices"]

    await scene.hold("100")
    assert await seen() == (["100.000000000000000000"], ["30.0000000000"])
    await scene.split("4")
    # 100 at 7.5 would be a loss of three quarters, and 400 at 30 a gain.
    assert (await seen())[1] == [None]
    await scene.job()
    assert await seen() == (["400.000000000000000000"], ["7.5000000000"])


def below(scene: Scene, kind: AlertKind, threshold: str, hysteresis: str = "0") -> NewAlertRule:
    return NewAlertRule(
        name=f"{kind} {threshold}",
        kind=kind,
        severity=AlertSeverity.WARNING,
        threshold=D(threshold),
        hysteresis=D(hysteresis),
        symbol=scene.symbol,
        portfolio_id=None,
        cooldown_seconds=0,
        channels=[],
        hours=None,
    )


async def fired(scene: Scene) -> list[str]:
    found: Any = await scene.exchange.value(
        "SELECT array_agg(r.name ORDER BY r.name, a.seq) "
        "FROM alerts a JOIN alert_rules r ON r.id = a.rule_id WHERE a.owner_id = $1",
        scene.actor.id,
    )
    return [str(name) for name in found or []]


async def test_levels_follow_and_do_not_fire_by_the_split(scene: Scene) -> None:
    rule = await create_rule(scene.actor, below(scene, AlertKind.PRICE_BELOW, "20", "4"))
    above = await create_rule(scene.actor, below(scene, AlertKind.PRICE_ABOVE, "36"))
    await create_rule(scene.actor, below(scene, AlertKind.DAILY_MOVE, "0.2"))
    for table in ("alert_rules", "alert_watches"):
        await scene.exchange.run(
            f"UPDATE {table} SET units_of = $2 WHERE owner_id = $1",
            scene.actor.id,
            TODAY - dt.timedelta(days=1),
        )
    evaluator = Evaluator(scene.sessions, None)
    await evaluator.ready()
    await evaluator.prices.load()
    await scene.split("4")

    async def tick(price: str) -> list[str]:
        await scene.tick(price)
        await evaluator.ticker.poll()
        await evaluator.prices.decide_waiting()
        return await fired(scene)

    # 8.34 are 33.36 before the split: neither below 20, nor a move of a fifth from 30.
    assert await tick("8.34") == []
    await scene.job()
    await evaluator.prices.refresh()
    levels = await scene.exchange.value(
        "SELECT array_agg(trim_scale(threshold)::text || '/' || trim_scale(hysteresis) ORDER BY threshold) "
        "FROM alert_rules WHERE id = ANY($1)",
        [rule, above],
    )
    assert levels == ["5/1", "9/0"]
    assert await tick("8.9") == []
    assert await tick("9.01") == ["DAILY_MOVE 0.2", "PRICE_ABOVE 36"]
    assert await tick("4.9") == ["DAILY_MOVE 0.2", "PRICE_ABOVE 36", "PRICE_BELOW 20"]
    # Armed again at 6, and no sooner.
    assert len(await tick("5.5")) == 3
    assert len(await tick("6")) == 3
    assert (await tick("4.8"))[-2:] == ["PRICE_BELOW 20"] * 2
