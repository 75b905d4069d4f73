"""Alerts of at least a given severity."""

from typing import Annotated

import strawberry

from graph.vocabulary import AlertSeverity

MinSeverity = Annotated[
    AlertSeverity | None, strawberry.argument(description="Only those of at least this severity.")
]


def at_least(least: AlertSeverity | None) -> tuple[AlertSeverity, ...] | None:
    """Return the severities from this one up; None for all of them."""
    if least is None:
        return None
    severities = list(AlertSeverity)
    return tuple(severities[severities.index(least) :])
