"""The index finds what looking at every rule would find, price by price."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import AlertKind
from investing.rules.alerts.conditions import Cooldown, RuleState, Threshold, daily_move, step
from investing.rules.alerts.price_index import PriceIndex, PriceRule, TickPrice

NOW = dt.datetime(2024, 5, 1, 14, tzinfo=dt.UTC)
OWNER, INSTRUMENT, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
NO_COOLDOWN = Cooldown(dt.timedelta(0))

SMALL = st.integers(1, 12).map(Decimal)
KINDS = st.sampled_from([AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW, AlertKind.DAILY_MOVE])
BOUNDS = st.builds(
    lambda kind, threshold, hysteresis: (
        Threshold(kind, threshold / 10, hysteresis / 10)
        if kind is AlertKind.DAILY_MOVE
        else Threshold(kind, threshold, hysteresis)
    ),
    KINDS,
    SMALL,
    st.integers(0, 3).map(Decimal),
)


def watched(place: int, threshold: Threshold, state: RuleState = RuleState()) -> PriceRule:  # noqa: B008
    return PriceRule(OWNER, UUID(int=place + 100), INSTRUMENT, threshold, state)


@given(st.lists(BOUNDS, max_size=12), st.lists(SMALL, max_size=30), st.integers(0, 12))
def test_like_looking_at_every_rule(all_bounds: list[Threshold], prices: list[Decimal], dropped: int) -> None:
    index = PriceIndex()
    standings = {}
    for place, threshold in enumerate(all_bounds):
        assert index.put(watched(place, threshold), NOW) == []
        standings[UUID(int=place + 100)] = (threshold, RuleState())
    for at, price in enumerate(prices):
        if at == 5:
            index.drop(UUID(int=dropped + 100))
            standings.pop(UUID(int=dropped + 100), None)
        expected = set()
        move = daily_move(price, Decimal(6))
        assert move is not None
        for id, (threshold, state) in standings.items():
            value = move if threshold.kind is AlertKind.DAILY_MOVE else price
            came = step(threshold, NO_COOLDOWN, state, value, NOW)
            if came.state.is_armed != state.is_armed:
                expected.add((id, came.fires))
            standings[id] = (threshold, RuleState(came.state.is_armed))
        crossings = index.tick(INSTRUMENT, TickPrice(price, NOW + dt.timedelta(seconds=at), Decimal(6)), NOW)
        # One that is beyond its threshold and back at once, which no bounds of ours are, would come twice.
        assert {(crossing.rule_id, crossing.fires) for crossing in crossings} == expected
        assert len(crossings) == len(expected)
    assert len(index) == len(standings)


def test_other_instruments_and_older_prices_cross_nothing() -> None:
    index = PriceIndex()
    index.put(watched(1, Threshold(AlertKind.PRICE_ABOVE, Decimal(10))), NOW)
    assert index.tick(OTHER, TickPrice(Decimal(11), NOW), NOW) == []
    assert index.tick(INSTRUMENT, TickPrice(Decimal(9), NOW), NOW) == []
    assert index.tick(INSTRUMENT, TickPrice(Decimal(11), NOW - dt.timedelta(seconds=1)), NOW) == []
    assert len(index.tick(INSTRUMENT, TickPrice(Decimal(11), NOW), NOW)) == 1


def test_a_quiet_rule_sleeps_until_its_time() -> None:
    index = PriceIndex()
    later = NOW + dt.timedelta(hours=1)
    cooldown = watched(1, Threshold(AlertKind.PRICE_ABOVE, Decimal(10)), RuleState(True, later))
    index.put(cooldown, NOW)
    assert index.tick(INSTRUMENT, TickPrice(Decimal(11), NOW), NOW) == []
    assert index.wake(later - dt.timedelta(seconds=1)) == []
    (crossing,) = index.wake(later)
    assert (crossing.rule_id, crossing.fires) == (cooldown.rule_id, True)
    assert index.wake(later) == []


def test_what_a_newer_price_has_decided_waits_for_it_here() -> None:
    """Or else a rule would be decided, in vain, again and again until that price comes."""
    index = PriceIndex()
    index.tick(INSTRUMENT, TickPrice(Decimal(11), NOW), NOW)
    decided = PriceRule(
        OWNER,
        UUID(int=100),
        INSTRUMENT,
        Threshold(AlertKind.PRICE_ABOVE, Decimal(10)),
        RuleState(),
        NOW + dt.timedelta(seconds=1),
    )
    assert index.put(decided, NOW) == []
