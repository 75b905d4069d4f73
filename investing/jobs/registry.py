"""The registry of all jobs: name, schedule, and what each does. A new job is one line here."""

import datetime as dt
from collections.abc import Sequence
from functools import partial

from db.auth.attempts import purge_attempts
from db.jobs.scheduler import Job
from db.sessions import Sessions
from db.vocabulary import Broker
from investing.alerts.acknowledging import purge_alerts
from investing.portfolio.snapshots import refresh_due
from investing.rebalancing.rebalancer import Rebalancer
from investing.rebalancing.scheduling import Schedule
from investing.trading.placing import TradingConfig
from investing.trading.split_work import Splitting

EVERY_TWO_SECONDS = "* * * * * */2"
EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_HOUR = "17 * * * *"


def jobs_of(
    sessions: Sessions,
    trading_config: TradingConfig,
    rebalancer: Rebalancer,
    *,
    drift_every: dt.timedelta,
    alerts_kept: dt.timedelta,
) -> Sequence[Job]:
    """Return the jobs of one process, which shares them with all others.

    Drift is checked every `drift_every`; alerts are deleted once they are older than `alerts_kept`.
    """
    splitting = Splitting(sessions, trading_config.brokers.named(Broker.PAPER).fees)
    schedule = Schedule(sessions, trading_config, rebalancer, drift_every)
    return [
        Job("rebalances.go_on", EVERY_TWO_SECONDS, rebalancer.advance_all),
        Job("rebalances.start_due", EVERY_TEN_SECONDS, schedule.start_due),
        Job("performance.refresh", EVERY_TWO_SECONDS, partial(refresh_due, sessions)),
        Job("loginAttempts.purge", EVERY_HOUR, partial(purge_attempts, sessions)),
        Job("splits.post", EVERY_TWO_SECONDS, splitting.post_due),
        Job("alerts.purge", EVERY_HOUR, partial(purge_alerts, sessions, alerts_kept)),
    ]
