"""When an alert rule may fire, as clients see and give it."""

from typing import Self

import strawberry

from db.sessions import Row
from graph.vocabulary import Weekday
from investing.rules.alerts.alert_settings import hours_of
from investing.rules.alerts.conditions import Hours

_DAYS = list(Weekday)


@strawberry.type(description="When an alert rule may fire, in local time.")
class ActiveHours:
    start: str = strawberry.field(description="The time of day at which they begin, HH:MM.")
    end: str = strawberry.field(description="The time of day at which they end, HH:MM, perhaps the next day.")
    time_zone: str = strawberry.field(description="The IANA time zone, such as Europe/Berlin.")
    weekdays: list[Weekday] = strawberry.field(description="The days on which they begin.")

    @classmethod
    def from_row(cls, row: Row) -> Self | None:
        """The hours of a row of the list of rules."""
        if row["active_from"] is None:
            return None
        return cls(
            start=f"{row['active_from']:%H:%M}",
            end=f"{row['active_until']:%H:%M}",
            time_zone=row["time_zone"],
            weekdays=[_DAYS[number - 1] for number in row["active_weekdays"]],
        )


@strawberry.input(description="When an alert rule may fire, in local time.")
class ActiveHoursInput:
    start: str = strawberry.field(description="The time of day at which they begin, HH:MM.")
    end: str = strawberry.field(
        description="The time of day at which they end, HH:MM; the next day where it is before the start."
    )
    time_zone: str = strawberry.field(
        description="The IANA time zone, such as Europe/Berlin.", default="America/New_York"
    )
    weekdays: list[Weekday] = strawberry.field(
        description="The days on which they begin; all of them if left out.", default_factory=lambda: [*_DAYS]
    )

    def hours(self) -> Hours:
        """Raises InvalidInput for what is no time, no zone or no day."""
        days = {_DAYS.index(day) + 1 for day in self.weekdays}
        return hours_of(self.start, self.end, days, self.time_zone)
