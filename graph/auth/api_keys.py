"""Storing and deleting a broker's credentials."""

from typing import Annotated, Any

import strawberry

from graph.auth.records import ApiKey
from graph.context import Info
from graph.loaders.auth import ApiKeyById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsAccount, OwnsApiKey
from graph.vocabulary import Broker


@strawberry.input(description="Credentials to store.")
class StoreApiKeyInput:
    broker: Broker = strawberry.field(description="The broker that they are for.")
    label: str = strawberry.field(
        description="1 to 100 characters. Existing credentials for the broker with the same label are "
        "replaced."
    )
    api_key: str = strawberry.field(
        description="The key's id at the broker, 1 to 200 characters; for a Flex query, the token."
    )
    api_secret: str | None = strawberry.field(
        description="The secret, 1 to 8,000 characters, if the broker has issued one; for a Flex query, the "
        "query's id. It is stored encrypted and never shown again.",
        default=None,
    )
    account_id: strawberry.ID | None = strawberry.field(
        description="The account that they are for, which must be at this broker; all of them if left out.",
        default=None,
    )


@strawberry.input(description="Credentials to delete.")
class DeleteApiKeyInput:
    api_key_id: strawberry.ID = strawberry.field(description="The credentials.")


@strawberry.type(description="The stored credentials, or the reasons why nothing was stored.")
class ApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(description="The credentials.", default=None)


@strawberry.type(description="The id of the deleted credentials, or the reasons why nothing was deleted.")
class DeleteApiKeyPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(description="The id that they had.", default=None)


@strawberry.type
class ApiKeyMutation:
    @strawberry.mutation(
        description="Stores credentials for a broker. They replace existing credentials for the broker with "
        "the same label.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def store_api_key(
        self, info: Info, input: Annotated[StoreApiKeyInput, INPUT]
    ) -> ApiKeyPayload | None:
        account_id = None if input.account_id is None else own_id("Account", input.account_id)
        id = await info.context.services.api_keys.store(
            actor_of(info.context), input.broker, input.label, input.api_key, input.api_secret, account_id
        )
        info.context.forget()
        row: Any = await info.context.loader(ApiKeyById).load(id)
        return ApiKeyPayload(api_key=ApiKey.from_row(row))

    @strawberry.mutation(
        description="Deletes credentials; the stored secret cannot be recovered.",
        extensions=[Guard(IsAuthenticated(), OwnsApiKey("input", "api_key_id"))],
    )
    async def delete_api_key(
        self, info: Info, input: Annotated[DeleteApiKeyInput, INPUT]
    ) -> DeleteApiKeyPayload | None:
        await info.context.services.api_keys.delete(
            actor_of(info.context), own_id("ApiKey", input.api_key_id)
        )
        return DeleteApiKeyPayload(deleted_id=input.api_key_id)
