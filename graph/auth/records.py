"""Broker keys and audit entries."""

import datetime as dt
from typing import Self

import strawberry
from strawberry.scalars import JSON

from db.auth.rows import ApiKeyRow, AuditRow
from graph.account.types import Account
from graph.context import Info
from graph.ids import global_id
from graph.loaders.account import AccountById
from graph.loaders.auth import ApiKeyById, AuditEntryById
from graph.node import Node, refetched_by
from graph.vocabulary import Broker


@strawberry.type(description="Credentials for a broker. The secret itself is never returned.")
class ApiKey(Node):
    row: strawberry.Private[ApiKeyRow]
    broker: Broker = strawberry.field(description="The broker that they are for.")
    label: str = strawberry.field(description="The name that the owner gave them.")
    key_hint: str = strawberry.field(description="The last characters of the key, to recognise it by.")
    created_at: dt.datetime = strawberry.field(description="When they were stored.")
    last_used_at: dt.datetime | None = strawberry.field(description="When they were last used.")

    @classmethod
    def from_row(cls, row: ApiKeyRow) -> Self:
        """Return the key of a row of the list of keys."""
        return cls(
            row=row,
            id=global_id("ApiKey", row["id"]),
            broker=Broker(row["broker"]),
            label=row["label"],
            key_hint=row["key_hint"],
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
        )

    @strawberry.field(description="The account that they are for; null for all accounts at the broker.")
    async def account(self, info: Info) -> Account | None:
        if self.row["account_id"] is None:
            return None
        return Account.from_row(await info.context.loader(AccountById).load_existing(self.row["account_id"]))


@strawberry.type(description="An entry of the audit log: something that the user did.")
class AuditEntry(Node):
    action: str = strawberry.field(description="What was done, such as portfolio.created.")
    entity_type: str | None = strawberry.field(description="The type of the object concerned.")
    entity_id: strawberry.ID | None = strawberry.field(description="The id of the object concerned.")
    details: JSON = strawberry.field(description="The details, without any secrets.")
    ip_address: str | None = strawberry.field(description="The IP address of the request.")
    user_agent: str | None = strawberry.field(description="The user agent of the request.")
    created_at: dt.datetime = strawberry.field(description="When it was done.")

    @classmethod
    def from_row(cls, row: AuditRow) -> Self:
        """Return the entry of a row of the audit log."""
        kind, id = row["entity_type"], row["entity_id"]
        return cls(
            id=global_id("AuditEntry", row["id"]),
            action=row["action"],
            entity_type=row["entity_type"],
            entity_id=None if kind is None or id is None else global_id(kind, id),
            details=JSON(row["details"]),
            ip_address=row["ip_address"],
            user_agent=row["user_agent"],
            created_at=row["created_at"],
        )


refetched_by("ApiKey", ApiKeyById, ApiKey.from_row)
refetched_by("AuditEntry", AuditEntryById, AuditEntry.from_row)
