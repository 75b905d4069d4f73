"""What an allocation adds up to, whatever it is made of."""

import uuid
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import AllocationDimension, TargetSource
from investing.rules.portfolio.allocation import AllocationPart, InstrumentTarget, TargetWeights, allocate

D = Decimal
A = uuid.UUID(int=1)
_AMOUNTS = st.decimals("0", "1000000", places=10)
_PARTS = st.lists(
    st.builds(
        AllocationPart,
        account_id=st.sampled_from([A, uuid.UUID(int=2)]),
        account=st.just("Account"),
        currency=st.just("USD"),
        value=st.none() | _AMOUNTS,
        portfolio_id=st.sampled_from([None, uuid.UUID(int=3), uuid.UUID(int=4)]),
        portfolio=st.just("Portfolio"),
        symbol=st.sampled_from([None, "ABC", "DEF", "XYZ"]),
        asset_class=st.sampled_from(["EQUITY", "BOND"]),
    )
)


@given(_PARTS, st.sampled_from(AllocationDimension))
def test_values_and_weights_add_up(parts: list[AllocationPart], by: AllocationDimension) -> None:
    found = allocate(parts, by)
    assert found.total_value == sum((part.value or D(0) for part in parts), D(0))
    assert found.total_value == sum((one.value or D(0) for one in found.slices), D(0))
    weights = [one.weight for one in found.slices if one.weight is not None]
    assert sum(weights, D(0)) == (1 if found.total_value else 0)
    assert all((one.value is None) == (one.weight is None) for one in found.slices) or not weights


def test_targets_and_drifts_add_up() -> None:
    cash = AllocationPart(A, "Account", "USD", D(1))
    parts = [cash, AllocationPart(A, "Account", "USD", D(2), symbol="ABC", asset_class="EQUITY")]
    wanted = [
        InstrumentTarget("ABC", D("0.3"), asset_class="EQUITY"),
        InstrumentTarget("NEW", D("0.6"), asset_class="BOND"),
    ]
    targets = TargetWeights(TargetSource.OWNER, wanted)
    for by in (AllocationDimension.SYMBOL, AllocationDimension.ASSET_CLASS):
        slices = allocate(parts, by, targets).slices
        assert sum(one.target_weight or 0 for one in slices) == 1
        assert sum(one.drift or 0 for one in slices) == 0
        assert [one.drift for one in slices] == [D("0.3666666667"), D("-0.6"), D("0.2333333333")]
