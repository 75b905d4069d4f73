"""Creating, confirming and deleting destinations, and retrying deliveries."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graph.context import Info
from graph.loaders.notifications import DeliveryById, NotificationDestinationById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.notifications.types import Delivery, NotificationDestination
from graph.permissions import IsAuthenticated, OwnsDelivery, OwnsNotificationDestination
from graph.vocabulary import DestinationKind


@strawberry.input(description="A destination to create.")
class CreateNotificationDestinationInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among yours.")
    kind: DestinationKind = strawberry.field(description="How notifications are delivered.")
    address: str = strawberry.field(
        description="An e-mail address, an https URL, or an Apprise URL such as tgram://token/chat."
    )


@strawberry.input(description="A destination, and the code that was sent to it.")
class ConfirmNotificationDestinationInput:
    notification_destination_id: strawberry.ID = strawberry.field(description="The destination.")
    code: str = strawberry.field(description="The code.")


@strawberry.input(description="A destination to send a new code to.")
class ResendNotificationConfirmationInput:
    notification_destination_id: strawberry.ID = strawberry.field(description="The destination.")


@strawberry.input(description="A webhook to give a new signing secret.")
class RotateWebhookSecretInput:
    notification_destination_id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.input(description="A destination to delete.")
class DeleteNotificationDestinationInput:
    notification_destination_id: strawberry.ID = strawberry.field(description="The destination.")


@strawberry.input(description="A delivery to retry.")
class RetryDeliveryInput:
    delivery_id: strawberry.ID = strawberry.field(description="The delivery.")


@strawberry.type(description="The destination as it is now, or the reasons why nothing was done.")
class NotificationDestinationPayload(Payload):
    notification_destination: NotificationDestination | None = strawberry.field(
        description="The destination.", default=None
    )


@strawberry.type(description="The destination with its signing secret, or the reasons why nothing was done.")
class SigningSecretPayload(NotificationDestinationPayload):
    signing_secret: str | None = strawberry.field(
        description="The secret for verifying a webhook's signatures. It is shown only once; null for other "
        "kinds.",
        default=None,
    )


@strawberry.type(description="The id of the deleted destination, or the reasons why nothing was deleted.")
class DeleteNotificationDestinationPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of what was deleted.", default=None
    )


@strawberry.type(description="The delivery as it is now, or the reasons why nothing was done.")
class DeliveryPayload(Payload):
    delivery: Delivery | None = strawberry.field(description="The delivery.", default=None)


_OWN = "NotificationDestination"


async def _destination(info: Info, id: UUID) -> NotificationDestination:
    row: Any = await info.context.loader(NotificationDestinationById).load(id)
    return NotificationDestination.from_row(row)


@strawberry.type
class NotificationMutation:
    @strawberry.mutation(
        description="Creates a destination and sends it a code for confirmNotificationDestination.",
        extensions=[Guard(IsAuthenticated())],
    )
    async def create_notification_destination(
        self, info: Info, input: Annotated[CreateNotificationDestinationInput, INPUT]
    ) -> SigningSecretPayload | None:
        made = await info.context.services.destinations.create(
            actor_of(info.context), input.name, input.kind, input.address
        )
        info.context.forget()
        destination = await _destination(info, made.id)
        return SigningSecretPayload(notification_destination=destination, signing_secret=made.signing_secret)

    @strawberry.mutation(
        description="Confirms a destination, so that alerts can be sent to it. A confirmed destination stays "
        "confirmed.",
        extensions=[
            Guard(IsAuthenticated(), OwnsNotificationDestination("input", "notification_destination_id"))
        ],
    )
    async def confirm_notification_destination(
        self, info: Info, input: Annotated[ConfirmNotificationDestinationInput, INPUT]
    ) -> NotificationDestinationPayload | None:
        row_id = own_id(_OWN, input.notification_destination_id)
        await info.context.services.destinations.confirm(actor_of(info.context), row_id, input.code)
        return NotificationDestinationPayload(notification_destination=await _destination(info, row_id))

    @strawberry.mutation(
        description="Sends a new code to a destination that is not confirmed or was switched off; at most 5 "
        "codes an hour and 20 a day.",
        extensions=[
            Guard(IsAuthenticated(), OwnsNotificationDestination("input", "notification_destination_id"))
        ],
    )
    async def resend_notification_confirmation(
        self, info: Info, input: Annotated[ResendNotificationConfirmationInput, INPUT]
    ) -> NotificationDestinationPayload | None:
        row_id = own_id(_OWN, input.notification_destination_id)
        await info.context.services.destinations.resend_code(actor_of(info.context), row_id)
        return NotificationDestinationPayload(notification_destination=await _destination(info, row_id))

    @strawberry.mutation(
        description="Gives a webhook a new signing secret. For one day the previous one is used for signing "
        "as well.",
        extensions=[
            Guard(IsAuthenticated(), OwnsNotificationDestination("input", "notification_destination_id"))
        ],
    )
    async def rotate_webhook_secret(
        self, info: Info, input: Annotated[RotateWebhookSecretInput, INPUT]
    ) -> SigningSecretPayload | None:
        row_id = own_id(_OWN, input.notification_destination_id)
        secret = await info.context.services.destinations.rotate_secret(actor_of(info.context), row_id)
        destination = await _destination(info, row_id)
        return SigningSecretPayload(notification_destination=destination, signing_secret=secret)

    @strawberry.mutation(
        description="Deletes a destination. It is removed from all rules, and pending deliveries to it are "
        "given up.",
        extensions=[
            Guard(IsAuthenticated(), OwnsNotificationDestination("input", "notification_destination_id"))
        ],
    )
    async def delete_notification_destination(
        self, info: Info, input: Annotated[DeleteNotificationDestinationInput, INPUT]
    ) -> DeleteNotificationDestinationPayload | None:
        id = input.notification_destination_id
        await info.context.services.destinations.delete(actor_of(info.context), own_id(_OWN, id))
        return DeleteNotificationDestinationPayload(deleted_id=id)

    @strawberry.mutation(
        description="Starts a delivery that is DEAD from the beginning.",
        extensions=[Guard(IsAuthenticated(), OwnsDelivery("input", "delivery_id"))],
    )
    async def retry_delivery(
        self, info: Info, input: Annotated[RetryDeliveryInput, INPUT]
    ) -> DeliveryPayload | None:
        row_id = own_id("Delivery", input.delivery_id)
        await info.context.services.destinations.retry(actor_of(info.context), row_id)
        row: Any = await info.context.loader(DeliveryById).load(row_id)
        return DeliveryPayload(delivery=Delivery.from_row(row))
