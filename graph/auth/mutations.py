"""The door: registering, logging in, staying in and leaving."""

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


@strawberry.input(description="Who wants to join.")
class RegisterInput:
    username: str = strawberry.field(description="3 to 32 letters, digits, _, . or -, a letter first.")
    email: str = strawberry.field(description="An e-mail address.")
    password: str = strawberry.field(description="10 to 128 characters.")
    full_name: str | None = strawberry.field(description="The name to be called by.", default=None)


@strawberry.input(description="Who wants to come in.")
class LoginInput:
    username: str = strawberry.field(description="The username or the e-mail address, in any case.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="A login to prolong.")
class RefreshTokenInput:
    refresh_token: str = strawberry.field(description="The latest refresh token; it works once.")


@strawberry.input(description="A login to end.")
class LogoutInput:
    refresh_token: str = strawberry.field(description="A refresh token of the login.")


@strawberry.type(description="A login, or why there is none.")
class AuthPayload(Payload):
    user: User | None = strawberry.field(description="Who is logged in now.", default=None)
    access_token: str | None = strawberry.field(
        description="For the header `Authorization: Bearer` and the WebSocket's connection_init.",
        default=None,
    )
    refresh_token: str | None = strawberry.field(
        description="For refreshToken, once; a second use ends the login.", default=None
    )
    expires_at: dt.datetime | None = strawberry.field(
        description="When the access token expires.", default=None
    )


@strawberry.type(description="A login that has ended.")
class LogoutPayload(Payload):
    pass


@contextmanager
def _throttled() -> Iterator[None]:
    """Raises Throttled with the seconds to wait in `retryAfter`."""
    try:
        yield
    except TooManyAttempts as many:
        raise Throttled(str(many), retryAfter=many.seconds) from None


async def _logged_in(info: Info, login: LoggedIn) -> AuthPayload:
    info.context.switch_token(login.access_token)
    return AuthPayload(
        user=User.from_viewer(await info.context.viewer()),
        access_token=login.access_token,
        refresh_token=login.refresh_token,
        expires_at=login.expires_at,
    )


@strawberry.type
class AuthMutation:
    @strawberry.mutation(description="Makes a user and logs them in.", extensions=[Guard()])
    async def register(self, info: Info, input: Annotated[RegisterInput, INPUT]) -> AuthPayload:
        with _throttled():
            login = await info.context.auth_service.register(
                input.username, input.email, input.password, input.full_name, info.context.client
            )
        return await _logged_in(info, login)

    @strawberry.mutation(
        description="Logs a user in. After too many attempts the error is THROTTLED; its `retryAfter` says "
        "for how many seconds.",
        extensions=[Guard()],
    )
    async def login(self, info: Info, input: Annotated[LoginInput, INPUT]) -> AuthPayload:
        with _throttled():
            login = await info.context.auth_service.login(input.username, input.password, info.context.client)
        return await _logged_in(info, login)

    @strawberry.mutation(
        description="A new access token and a new refresh token, for the old one.", extensions=[Guard()]
    )
    async def refresh_token(self, info: Info, input: Annotated[RefreshTokenInput, INPUT]) -> AuthPayload:
        return await _logged_in(
            info, await info.context.auth_service.refresh(input.refresh_token, info.context.client)
        )

    @strawberry.mutation(description="Ends a login. Doing it again does nothing.", extensions=[Guard()])
    async def logout(self, info: Info, input: Annotated[LogoutInput, INPUT]) -> LogoutPayload:
        await info.context.auth_service.logout(input.refresh_token, info.context.client)
        return LogoutPayload()
