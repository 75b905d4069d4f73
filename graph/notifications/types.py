"""Destinations and deliveries."""

import datetime as dt
from typing import Self

import strawberry

from db.notifications.rows import DeliveryRow, DestinationRow
from graph.ids import global_id
from graph.loaders.notifications import DeliveryById, NotificationDestinationById
from graph.node import Node, refetched_by
from graph.vocabulary import DeliveryStatus, DestinationKind


@strawberry.type(description="A destination for alerts. The address itself is never returned.")
class NotificationDestination(Node):
    name: str = strawberry.field(description="Its name, which the channels of alert rules refer to.")
    kind: DestinationKind = strawberry.field(description="How notifications are delivered.")
    hint: str = strawberry.field(description="Part of the address, to recognise it by.")
    confirmed_at: dt.datetime | None = strawberry.field(
        description="When it was confirmed with the code that was sent to it; nothing else is sent before "
        "that."
    )
    is_active: bool = strawberry.field(
        description="false after too many failed attempts; a new code switches it on again."
    )
    consecutive_failures: int = strawberry.field(
        description="The number of attempts that have failed since the last success."
    )
    last_sent_at: dt.datetime | None = strawberry.field(description="When something was last delivered.")
    created_at: dt.datetime = strawberry.field(description="When it was created.")

    @classmethod
    def from_row(cls, row: DestinationRow) -> Self:
        """Return the destination of a row of the list of destinations."""
        return cls(
            id=global_id("NotificationDestination", row["id"]),
            name=row["name"],
            kind=DestinationKind(row["kind"]),
            hint=row["hint"],
            confirmed_at=row["confirmed_at"],
            is_active=row["is_active"],
            consecutive_failures=row["failures"],
            last_sent_at=row["last_sent_at"],
            created_at=row["created_at"],
        )


@strawberry.type(description="The delivery of an alert to a destination.")
class Delivery(Node):
    channel: str = strawberry.field(description="The name of the destination at the time.")
    status: DeliveryStatus = strawberry.field(description="Its status.")
    attempts: int = strawberry.field(description="The number of attempts.")
    next_attempt_at: dt.datetime | None = strawberry.field(
        description="When it is attempted next, or when its digest is sent; null if that is at once or never."
    )
    last_error: str | None = strawberry.field(description="Why the last attempt failed.")
    sent_at: dt.datetime | None = strawberry.field(description="When it was delivered.")
    is_digested: bool = strawberry.field(
        description="Whether it is part of a digest, because the hourly limit was reached."
    )
    created_at: dt.datetime = strawberry.field(description="When the alert was raised.")

    @classmethod
    def from_row(cls, row: DeliveryRow) -> Self:
        """Return the delivery of a row of the list of deliveries."""
        return cls(
            id=global_id("Delivery", row["id"]),
            channel=row["channel"],
            status=DeliveryStatus(row["status"]),
            attempts=row["attempts"],
            next_attempt_at=row["next_attempt_at"],
            last_error=row["last_error"],
            sent_at=row["sent_at"],
            is_digested=row["is_digested"],
            created_at=row["created_at"],
        )


refetched_by("NotificationDestination", NotificationDestinationById, NotificationDestination.from_row)
refetched_by("Delivery", DeliveryById, Delivery.from_row)
