"""Nothing is sent to a destination but a code, until its owner has given it back."""

from collections.abc import Awaitable
from typing import Any

import pytest

from db.vocabulary import DestinationKind
from investing.notifications.destinations import Destinations
from investing.rules.errors import (
    DeliveryNotDead,
    DomainError,
    InvalidInput,
    KindUnavailable,
    LimitReached,
    NameTaken,
    NotFound,
    UnknownDestination,
    WrongCode,
)
from tests.investing.notifications.post import Post
from tests.investing.notifications.receivers import HttpReceiver, MailServer


async def refused(doing: Awaitable[object], kind: type[DomainError]) -> Any:
    """The refusal that comes of it."""
    with pytest.raises(kind) as domain_error:
        await doing
    return domain_error.value


async def audited(post: Post) -> list[str]:
    async with post.sessions.reading(post.actor.id) as connection:
        rows = await connection.fetch("SELECT action FROM audit_log ORDER BY id")
    return [row["action"] for row in rows if row["action"].startswith("notification")]


async def test_the_code_confirms(post: Post, receiver: HttpReceiver) -> None:
    made = await post.made("hook", receiver.url)
    await post.alert("hook")
    await post.send()
    (request,) = receiver.requests
    assert request.json["type"] == "destination.confirmation"
    code = request.json["data"]["code"]
    assert len(code) == 8
    assert await post.deliveries() == []
    await post.desk.confirm(post.actor, made.id, f" {code.lower()} ")
    await post.alert("hook")
    await post.send()
    assert [r.json["type"] for r in receiver.requests] == ["destination.confirmation", "alert.raised"]
    assert await audited(post) == ["notificationDestination.created", "notificationDestination.confirmed"]
    # Confirmed, the code is nothing any more, and a second confirmation does nothing.
    await post.desk.confirm(post.actor, made.id, "anything")
    await post.desk.resend_code(post.actor, made.id)
    assert len(await audited(post)) == 2


async def test_the_code_by_mail(post: Post, mails: MailServer) -> None:
    made = await post.made("mail", "holder@example.org", DestinationKind.EMAIL)
    await post.send()
    (mail,) = mails.mails
    assert mail["Subject"] == "Confirm that Graphfolio may send alerts here"
    assert (await post.code(made.id)) in str(mail)


async def test_wrong_codes_are_counted(post: Post, receiver: HttpReceiver) -> None:
    made = await post.made("hook", receiver.url)
    code = await post.code(made.id)
    for left in (4, 3, 2, 1, 0):
        domain_error = await refused(post.desk.confirm(post.actor, made.id, "WRONGONE"), WrongCode)
        assert domain_error.attempts_left == left
    # From now on not even the right one.
    assert (await refused(post.desk.confirm(post.actor, made.id, code), WrongCode)).attempts_left == 0
    assert (await post.destination(made.id))["confirmed_at"] is None
    await post.desk.resend_code(post.actor, made.id)
    assert await post.code(made.id) != code
    await refused(post.desk.confirm(post.actor, made.id, code), WrongCode)
    await post.desk.confirm(post.actor, made.id, await post.code(made.id))
    assert (await post.destination(made.id))["confirmed_at"] is not None


async def test_a_code_expires(post: Post, receiver: HttpReceiver) -> None:
    made = await post.made("hook", receiver.url)
    code = await post.code(made.id)
    await post.pass_hours(24.1)
    await refused(post.desk.confirm(post.actor, made.id, code), WrongCode)


async def test_codes_are_few_an_hour(post: Post, receiver: HttpReceiver) -> None:
    """Whoever makes and deletes destinations gets no more of them."""
    made = await post.made("hook", receiver.url)
    for _ in range(2):
        await post.desk.resend_code(post.actor, made.id)
    await post.desk.delete(post.actor, made.id)
    for name in ("a", "b"):
        await post.made(name, receiver.url)
    assert (await refused(post.made("c", receiver.url), LimitReached)).limit == 5
    await post.pass_hours(1.1)
    await post.made("c", receiver.url)


async def test_codes_are_few_a_day(post: Post, receiver: HttpReceiver) -> None:
    made = await post.made("hook", receiver.url)
    for number in range(1, 20):
        if number % 5 == 0:
            await post.pass_hours(1.1)
        await post.desk.resend_code(post.actor, made.id)
    await post.pass_hours(1.1)
    assert (await refused(post.desk.resend_code(post.actor, made.id), LimitReached)).limit == 20
    assert (await refused(post.made("a", receiver.url), LimitReached)).limit == 20
    # All of them were sent within 24 hours; when the first five are older, five more may be.
    await post.pass_hours(24 - 4.2)
    for _ in range(5):
        await post.desk.resend_code(post.actor, made.id)
    await refused(post.desk.resend_code(post.actor, made.id), LimitReached)


async def test_what_is_refused(post: Post, receiver: HttpReceiver) -> None:
    await post.made("hook", receiver.url)
    await refused(post.made("hook", receiver.url), NameTaken)
    await refused(post.made(" ", receiver.url), InvalidInput)
    await refused(post.made("x", "no address", DestinationKind.EMAIL), InvalidInput)
    await refused(post.made("x", "slack://x", DestinationKind.APPRISE), InvalidInput)
    without = Destinations(post.secret_box)
    create = without.create(post.actor, "mail", DestinationKind.EMAIL, "holder@example.org")
    await refused(create, KindUnavailable)


async def test_another_users_is_nobodys(post: Post, receiver: HttpReceiver) -> None:
    made = await post.made("hook", receiver.url)
    stranger, _ = await post.exchange.trader("1")
    for doing in (
        post.desk.confirm(stranger, made.id, await post.code(made.id)),
        post.desk.resend_code(stranger, made.id),
        post.desk.rotate_secret(stranger, made.id),
        post.desk.delete(stranger, made.id),
    ):
        await refused(doing, NotFound)
    assert (await post.destination(made.id))["confirmed_at"] is None


async def test_deleting_gives_up_what_is_on_its_way(post: Post, receiver: HttpReceiver) -> None:
    made = await post.confirmed("hook", receiver.url)
    await post.alert("hook")
    await post.desk.delete(post.actor, made.id)
    assert await post.statuses() == [("DEAD", 0, "The destination was deleted.")]
    assert await post.work() == 0
    await post.send()
    assert receiver.requests == []
    (delivery,) = await post.deliveries()
    assert (await refused(post.desk.retry(post.actor, delivery["id"]), UnknownDestination)).name == "hook"


async def test_only_a_dead_one_is_retried(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("hook", receiver.url)
    await post.alert("hook")
    await post.send()
    (delivery,) = await post.deliveries()
    domain_error = await refused(post.desk.retry(post.actor, delivery["id"]), DeliveryNotDead)
    assert domain_error.delivery_status == "SENT"
    stranger, _ = await post.exchange.trader("1")
    await refused(post.desk.retry(stranger, delivery["id"]), NotFound)


async def test_another_signing_secret(post: Post, receiver: HttpReceiver) -> None:
    """Both sign for a day, so that a receiver has time to change."""
    made = await post.confirmed("hook", receiver.url)
    secret = await post.desk.rotate_secret(post.actor, made.id)
    assert secret != made.signing_secret
    await post.alert("hook")
    await post.send()
    signatures = receiver.requests[-1].headers["webhook-signature"].split()
    assert len(set(signatures)) == 2
    await post.made("phone", f"gotify://127.0.0.1:{receiver.port}/atoken", DestinationKind.APPRISE)
    async with post.sessions.reading(post.actor.id) as connection:
        id = await connection.fetchval("SELECT id FROM notification_destinations WHERE name = 'phone'")
    await refused(post.desk.rotate_secret(post.actor, id), InvalidInput)


async def test_what_is_on_its_way_waits_for_no_confirmation(post: Post, receiver: HttpReceiver) -> None:
    """Asked again at each attempt: whatever put a delivery there, it goes nowhere that is not confirmed."""
    made = await post.confirmed("hook", receiver.url)
    await post.alert("hook")
    await post.run("UPDATE notification_destinations SET confirmed_at = NULL WHERE id = $1", made.id)
    await post.send()
    assert receiver.connections == 0
    assert await post.statuses() == [("DEAD", 0, "The destination is not confirmed.")]
