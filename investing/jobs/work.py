"""Every job there is: its name, when it runs, and what it does. A new one is one line here."""

from collections.abc import Sequence

from db.jobs.rounds import Job
from investing.rebalancing.rebalancer import Rebalancer
from investing.rebalancing.scheduling import Schedule

EVERY_TWO_SECONDS = "* * * * * */2"
EVERY_TEN_SECONDS = "* * * * * */10"


def jobs_of(rebalancer: Rebalancer, schedule: Schedule) -> Sequence[Job]:
    """The jobs of one process, which shares them with all others."""
    return [
        Job("rebalances.go_on", EVERY_TWO_SECONDS, rebalancer.go_on),
        Job("rebalances.start_due", EVERY_TEN_SECONDS, schedule.start_due),
    ]
