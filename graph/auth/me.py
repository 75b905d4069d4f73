"""Changing the viewer's own user."""

from typing import Annotated

import strawberry

from graph.auth.types import User
from graph.context import Info
from graph.mutating import INPUT, Guard, Payload, actor_of, given
from graph.permissions import IsAuthenticated
from investing.auth.profile import change_user


@strawberry.input(description="Changes to your own user data; what is left out stays as it is.")
class UpdateMeInput:
    full_name: str | None = strawberry.field(
        description="Your full name, at most 200 characters; null for none.",
        default=strawberry.UNSET,
    )
    time_zone: str | None = strawberry.field(
        description="The IANA time zone, such as Europe/Berlin, that decides which day a moment belongs to "
        "in figures about all your accounts. Accounts keep their own.",
        default=strawberry.UNSET,
    )


@strawberry.type(description="The user as they are now, or the reasons why nothing was done.")
class UserPayload(Payload):
    user: User | None = strawberry.field(description="The user.", default=None)


@strawberry.type
class MeMutation:
    @strawberry.mutation(description="Changes your own user data.", extensions=[Guard(IsAuthenticated())])
    async def update_me(self, info: Info, input: Annotated[UpdateMeInput, INPUT]) -> UserPayload | None:
        changes = {"time_zone": given("timeZone", input.time_zone)}
        if input.full_name is not strawberry.UNSET:
            changes["full_name"] = input.full_name
        await change_user(actor_of(info.context), changes)
        # Whatever of the viewer was read before is outdated.
        await info.context.recheck_login()
        return UserPayload(user=User.from_viewer(await info.context.viewer()))
