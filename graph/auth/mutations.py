"""Registering, logging in, refreshing a login and logging out."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import strawberry

from graph.auth.types import User
from graph.context import Info
from graph.errors import Throttled
from graph.mutating import INPUT, Guard, Payload
from investing.auth.attempts import TooManyAttempts
from investing.auth.types import LoggedIn


@strawberry.input(description="A user to create.")
class RegisterInput:
    username: str = strawberry.field(
        description="3 to 32 letters, digits, _, . or -, starting with a letter."
    )
    email: str = strawberry.field(description="An e-mail address.")
    password: str = strawberry.field(description="10 to 128 characters.")
    full_name: str | None = strawberry.field(description="The full name.", default=None)


@strawberry.input(description="A user's name and password.")
class LoginInput:
    username: str = strawberry.field(description="The username or the e-mail address; case does not matter.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="The login to renew.")
class RefreshTokenInput:
    refresh_token: str = strawberry.field(description="The latest refresh token, which works once.")


@strawberry.input(description="The login to end.")
class LogoutInput:
    refresh_token: str = strawberry.field(description="A refresh token of the login.")


@strawberry.type(description="A login, or the reasons why there is none.")
class AuthPayload(Payload):
    user: User | None = strawberry.field(description="The user who is now logged in.", default=None)
    access_token: str | None = strawberry.field(
        description="For the header `Authorization: Bearer`, or the connection_init message of a WebSocket.",
        default=None,
    )
    refresh_token: str | None = strawberry.field(
        description="For refreshToken. It works once; using it again ends the login.", default=None
    )
    expires_at: dt.datetime | None = strawberry.field(
        description="When the access token expires.", default=None
    )


@strawberry.type(description="The result of logging out.")
class LogoutPayload(Payload):
    pass


@contextmanager
def _throttled() -> Iterator[None]:
    """Raise Throttled with the seconds to wait in `retryAfter`."""
    try:
        yield
    except TooManyAttempts as many:
        raise Throttled(str(many), retryAfter=many.seconds) from None


async def _logged_in(info: Info, login: LoggedIn) -> AuthPayload:
    info.context.switch_token(login.access_token)
    if login.device_token is not None:
        info.context.device.issued = login.device_token
    return AuthPayload(
        user=User.from_viewer(await info.context.viewer()),
        access_token=login.access_token,
        refresh_token=login.refresh_token,
        expires_at=login.expires_at,
    )


@strawberry.type
class AuthMutation:
    @strawberry.mutation(description="Creates a user and logs them in.", extensions=[Guard()])
    async def register(self, info: Info, input: Annotated[RegisterInput, INPUT]) -> AuthPayload | None:
        with _throttled():
            login = await info.context.services.auth_service.register(
                input.username, input.email, input.password, input.full_name, info.context.client
            )
        return await _logged_in(info, login)

    @strawberry.mutation(
        description="Logs a user in. After too many attempts the request fails with the error THROTTLED, "
        "whose `retryAfter` is the number of seconds to wait. The header `x-device-token` of the answer, "
        "sent along with later logins, lets this device in even while others try the name.",
        extensions=[Guard()],
    )
    async def login(self, info: Info, input: Annotated[LoginInput, INPUT]) -> AuthPayload | None:
        with _throttled():
            login = await info.context.services.auth_service.login(
                input.username, input.password, info.context.client, info.context.device.presented
            )
        return await _logged_in(info, login)

    @strawberry.mutation(
        description="Exchanges a refresh token for a new access token and a new refresh token.",
        extensions=[Guard()],
    )
    async def refresh_token(
        self, info: Info, input: Annotated[RefreshTokenInput, INPUT]
    ) -> AuthPayload | None:
        login = await info.context.services.auth_service.refresh(
            input.refresh_token, info.context.client, info.context.device.presented
        )
        return await _logged_in(info, login)

    @strawberry.mutation(description="Ends a login. Repeating it has no effect.", extensions=[Guard()])
    async def logout(self, info: Info, input: Annotated[LogoutInput, INPUT]) -> LogoutPayload | None:
        await info.context.services.auth_service.logout(input.refresh_token, info.context.client)
        return LogoutPayload()
