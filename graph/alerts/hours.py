"""When an alert rule may fire, as clients see and give it."""

import datetime as dt
from typing import Self

import strawberry

from db.alerts.rows import AlertRuleRow
from graph.vocabulary import Weekday
from investing.rules.alerts.alert_settings import hours_of
from investing.rules.alerts.conditions import Hours

_DAYS = list(Weekday)


@strawberry.type(description="When an alert rule may fire, in local time.")
class ActiveHours:
    start: dt.time = strawberry.field(description="When they begin.")
    end: dt.time = strawberry.field(description="When they end; the next day where it is before the start.")
    time_zone: str = strawberry.field(description="The IANA time zone, such as Europe/Berlin.")
    weekdays: list[Weekday] = strawberry.field(description="The days of the week on which they begin.")

    @classmethod
    def from_row(cls, row: AlertRuleRow) -> Self | None:
        """Return the hours of a row of the list of rules."""
        start, end = row["active_from"], row["active_until"]
        zone, weekdays = row["time_zone"], row["active_weekdays"]
        if start is None or end is None or zone is None or weekdays is None:
            return None
        return cls(
            start=start,
            end=end,
            time_zone=zone,
            weekdays=[_DAYS[number - 1] for number in weekdays],
        )


@strawberry.input(description="When an alert rule may fire, in local time.")
class ActiveHoursInput:
    start: dt.time = strawberry.field(description="When they begin.")
    end: dt.time = strawberry.field(description="When they end; the next day where it is before the start.")
    time_zone: str = strawberry.field(
        description="The IANA time zone, such as Europe/Berlin.", default="America/New_York"
    )
    weekdays: list[Weekday] = strawberry.field(
        description="The days of the week on which they begin; all of them if left out.",
        default_factory=lambda: [*_DAYS],
    )

    def hours(self) -> Hours:
        """Return the hours as the rules take them. Raise InvalidInput for no time, no zone or no day."""
        days = {_DAYS.index(day) + 1 for day in self.weekdays}
        return hours_of(self.start, self.end, days, self.time_zone)
