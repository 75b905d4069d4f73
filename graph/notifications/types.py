"""Destinations and deliveries."""

import datetime as dt
from typing import Self

import strawberry

from db.notifications.rows import DeliveryRow, DestinationRow
from graph.ids import global_id
from graph.node import Node, refetched_by
from graph.notifications.loaders import DeliveryById, NotificationDestinationById
from graph.vocabulary import DeliveryStatus, DestinationKind


@strawberry.type(description="Somewhere that alerts are sent. The address itself is never returned.")
class NotificationDestination(Node):
    name: str = strawberry.field(description="What the channels of alert rules call it.")
    kind: DestinationKind = strawberry.field(description="How notifications travel there.")
    hint: str = strawberry.field(description="A part of the address, to tell it by.")
    confirmed_at: dt.datetime | None = strawberry.field(
        description="When its owner gave the code that was sent there; nothing else is sent before."
    )
    is_active: bool = strawberry.field(
        description="false once too many attempts have failed; a new code switches it on again."
    )
    consecutive_failures: int = strawberry.field(
        description="How many attempts have failed since the last that did not."
    )
    last_sent_at: dt.datetime | None = strawberry.field(description="When something last arrived there.")
    created_at: dt.datetime = strawberry.field(description="When it was made.")

    @classmethod
    def from_row(cls, row: DestinationRow) -> Self:
        """The destination of a row of the list of destinations."""
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


@strawberry.type(description="One alert on its way to one destination.")
class Delivery(Node):
    channel: str = strawberry.field(description="The destination's name at the time.")
    status: DeliveryStatus = strawberry.field(description="Where it stands.")
    attempts: int = strawberry.field(description="How often it was tried.")
    next_attempt_at: dt.datetime | None = strawberry.field(
        description="When it is tried again, or its digest is sent; null for at once, and once it has ended."
    )
    last_error: str | None = strawberry.field(description="Why the last attempt failed.")
    sent_at: dt.datetime | None = strawberry.field(description="When the receiver took it.")
    is_digested: bool = strawberry.field(
        description="Whether it is told in a digest, because it came after the hour's limit."
    )
    created_at: dt.datetime = strawberry.field(description="When the alert was raised.")

    @classmethod
    def from_row(cls, row: DeliveryRow) -> Self:
        """The delivery of a row of the list of deliveries."""
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
