"""What every mutation shares: its permissions, its payload with userErrors, and a fresh read afterwards."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField

from db.writing import LoginEnded
from graph.context import Context, Info
from graph.errors import CodedError
from graph.ids import id_of
from graph.missing import log_missing
from graph.permissions import Owns
from graph.user_errors import UserError, user_error
from investing.actor import Actor
from investing.rules.errors import DomainError, InvalidInput, NotFound
from investing.rules.trading.entries import check_places

INPUT = strawberry.argument(description="The input of the mutation.")
"""How every mutation describes its one argument."""


@strawberry.type
class Payload:
    user_errors: list[UserError] = strawberry.field(
        description="The reasons why nothing was done; empty on success.", default_factory=list
    )


class Guard(FieldExtension):
    """Checks the permissions, then runs the mutation; a refusal becomes the payload's userErrors."""

    def __init__(self, *permissions: BasePermission) -> None:
        self.permissions = permissions
        self.payload: type[Payload] = Payload

    def apply(self, field: StrawberryField) -> None:
        """Note the field's payload type; it may be null, so an error does not null other mutations."""
        assert isinstance(field.type, StrawberryOptional), f"the payload of {field.name} may be null"
        self.payload = field.type.of_type  # type: ignore[assignment]
        # Tests and readers of the schema find the field's permissions here.
        field.permission_classes = [type(permission) for permission in self.permissions]

    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: Info, **kwargs: Any) -> Any:
        """Return the mutation's payload; raise Unauthenticated if its login has ended."""
        login = info.context.viewer_login
        try:
            payload = await self._payload(next_, source, info, kwargs)
        except LoginEnded:
            raise login.has_ended() from None
        except CodedError:
            await login.confirm()
            raise
        # What is refused before a transaction has begun is told only to those who are logged in.
        await login.confirm()
        return payload

    async def _payload(
        self, next_: Callable[..., Any], source: Any, info: Info, kwargs: dict[str, Any]
    ) -> Any:
        try:
            for permission in self.permissions:
                if not await _allows(permission, source, info, kwargs):
                    refused = _not_found(permission)
                    return self.payload(user_errors=[user_error(refused, ("input",))])
            _check_decimals(kwargs.get("input"))
            # The mutation is about to change what the permissions have read.
            info.context.forget()
            return await next_(source, info, **kwargs)
        except DomainError as domain_error:
            if isinstance(domain_error, NotFound):
                self._log_missing(info, kwargs, domain_error)
            return self.payload(user_errors=[user_error(domain_error, ("input",))])
        finally:
            info.context.forget()
            info.context.wrote()

    def _log_missing(self, info: Info, kwargs: dict[str, Any], error: NotFound) -> None:
        """Log an id that the mutation itself has not found as the permissions do, if they check it."""
        for permission in self.permissions:
            if isinstance(permission, Owns) and _not_found(permission).field == error.field:
                permission.log_missing(info, kwargs)
                return
        log_missing(info, None, ())


def _check_decimals(given: Any) -> None:
    """Raise InvalidInput for an amount with more places than are stored, whatever field it is in.

    The elements of a list are refused row by row, by the service that takes the rows.
    """
    for field in dataclasses.fields(given) if dataclasses.is_dataclass(given) else ():
        value = getattr(given, field.name)
        if isinstance(value, Decimal):
            check_places(field.name, value)


async def _allows(permission: BasePermission, source: Any, info: Info, kwargs: dict[str, Any]) -> bool:
    allowed = permission.has_permission(source, info, **kwargs)
    return allowed if isinstance(allowed, bool) else await allowed


def _not_found(permission: BasePermission) -> NotFound:
    assert isinstance(permission, Owns), "every other permission raises its own error"
    words = permission.path[-1].split("_")
    return NotFound(
        f"There is no such {permission.type_name.lower()}.",
        (words[0] + "".join(word.title() for word in words[1:]),),
    )


def actor_of(context: Context) -> Actor:
    """Return the viewer as the actor of a write."""
    login = context.viewer_login.unchecked
    return Actor(context.viewer_id, context.services.sessions, context.client, login)


def given(field: str, value: str | None) -> str | None:
    """Return the value of an optional field that is never null, None if it was left out.

    Raise InvalidInput for null.
    """
    if value is None:
        raise InvalidInput(f"{field} cannot be null: leave it out to keep it.", (field,))
    return None if value is strawberry.UNSET else value


def own_id(type_name: str, text: str) -> UUID:
    """Return the row's id behind a global id that the guard has checked."""
    id = id_of(type_name, text)
    assert id is not None, "the guard has checked it"
    return id
