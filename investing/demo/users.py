"""The two demo users: the one to log in as, and the one whose data the first must never see."""

import datetime as dt
from decimal import Decimal

from db.vocabulary import AccountType, RebalanceFrequency, Strategy
from investing.demo.plan import AccountPlan, PortfolioPlan, UserPlan, equal

D = Decimal
ADJUSTED_END = dt.date(2022, 12, 28)
RAW_END = dt.date(2013, 3, 1)

GROWTH = PortfolioPlan(
    name="Blue-chip growth",
    strategy=Strategy.MAX_SHARPE,
    weights=equal("HD", "UNH", "LLY", "JPM", "BBY", "GE"),
    exits={"GE": dt.date(2018, 6, 1)},
    start=dt.date(2006, 1, 1),
    end=ADJUSTED_END,
    monthly=D(900),
    rebalance=RebalanceFrequency.YEARLY,
    withdrawal=D(4000),
    at_last=D(1500),
    risk_tolerance=D("0.8"),
)
CORE = PortfolioPlan(
    name="Core, equally weighted",
    strategy=Strategy.EQUAL_WEIGHT,
    weights=equal("JNJ", "KO", "PG", "WMT", "XOM", "JPM", "MRK"),
    start=dt.date(2010, 1, 1),
    end=ADJUSTED_END,
    monthly=D(700),
    at_last=D(1200),
    rebalance=RebalanceFrequency.QUARTERLY,
    auto_rebalance=True,
    drift_band=D("0.05"),
)
INCOME = PortfolioPlan(
    name="Quiet income",
    strategy=Strategy.MIN_VARIANCE,
    weights={"JNJ": D("0.3"), "KO": D("0.2"), "PEP": D("0.2"), "PG": D("0.2"), "WMT": D("0.1")},
    start=dt.date(2004, 1, 1),
    end=ADJUSTED_END,
    monthly=D(500),
    at_last=D(600),
    rebalance=RebalanceFrequency.YEARLY,
    risk_tolerance=D("0.2"),
)
BALANCED = PortfolioPlan(
    name="Balanced risk",
    strategy=Strategy.RISK_PARITY,
    weights={"CVX": D("0.15"), "JNJ": D("0.3"), "LLY": D("0.2"), "PFE": D("0.2"), "HD": D("0.15")},
    start=dt.date(2012, 1, 1),
    end=ADJUSTED_END,
    monthly=D(650),
    at_last=D(800),
    rebalance=RebalanceFrequency.YEARLY,
    risk_tolerance=D("0.4"),
)
TECHNOLOGY = PortfolioPlan(
    name="Technology, 2000 to 2013",
    strategy=Strategy.CUSTOM,
    weights={"AAPL": D("0.3"), "MSFT": D("0.25"), "IBM": D("0.25"), "GOOG": D("0.15"), "FB": D("0.03")},
    start=dt.date(2000, 4, 1),
    end=RAW_END,
    monthly=D(800),
    rebalance=RebalanceFrequency.YEARLY,
    withdrawal=D(1500),
    risk_tolerance=D("0.9"),
)
CLUSTERS = PortfolioPlan(
    name="Sector clusters",
    strategy=Strategy.HIERARCHICAL_RISK_PARITY,
    weights=equal("BAC", "CVX", "AMD", "PFE", "RRC", "UNH"),
    start=dt.date(2014, 1, 1),
    end=ADJUSTED_END,
    monthly=D(1200),
    at_last=D(2500),
    rebalance=RebalanceFrequency.QUARTERLY,
    commission=D("0.50"),
    max_position_size=D("0.25"),
)

DEMO = UserPlan(
    username="demo",
    email="demo@example.com",
    full_name="Demo",
    accounts=(
        AccountPlan(
            name="Brokerage",
            account_type=AccountType.CASH,
            initial_balance=D(5000),
            yearly_fee=D("36.00"),
            interest=D("0.015"),
            withheld=D("0.15"),
            portfolios=(GROWTH, CORE),
        ),
        AccountPlan(
            name="Retirement",
            account_type=AccountType.RETIREMENT,
            initial_balance=D(2500),
            yearly_fee=D("24.00"),
            interest=D("0.02"),
            withheld=D(0),
            portfolios=(INCOME, BALANCED),
        ),
        AccountPlan(
            name="Margin",
            account_type=AccountType.MARGIN,
            initial_balance=D(10000),
            yearly_fee=D("60.00"),
            interest=D("0.01"),
            withheld=D("0.15"),
            portfolios=(TECHNOLOGY, CLUSTERS),
        ),
    ),
    watchlists={
        "Technology": ("AAPL", "MSFT", "IBM", "GOOG", "FB", "AMD"),
        "Health care": ("JNJ", "LLY", "MRK", "PFE", "UNH"),
        "Energy": ("CVX", "RRC", "XOM"),
    },
)

OTHER = UserPlan(
    username="other",
    email="other@example.com",
    full_name="Other",
    accounts=(
        AccountPlan(
            name="Savings",
            account_type=AccountType.CASH,
            initial_balance=D(1000),
            yearly_fee=D("12.00"),
            interest=D("0.01"),
            withheld=D(0),
            portfolios=(
                PortfolioPlan(
                    name="Nest egg",
                    strategy=Strategy.EQUAL_WEIGHT,
                    weights=equal("BBY", "PEP", "WMT"),
                    start=dt.date(2019, 1, 1),
                    end=ADJUSTED_END,
                    monthly=D(300),
                    rebalance=RebalanceFrequency.YEARLY,
                ),
            ),
        ),
    ),
    watchlists={"To look at": ("KO", "PEP")},
)
