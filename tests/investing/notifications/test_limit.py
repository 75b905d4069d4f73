"""So many an hour, and then a digest."""

from dataclasses import replace

from tests.investing.notifications.post import AT_ONCE, Post
from tests.investing.notifications.receivers import HttpReceiver


async def test_the_rest_of_the_hour_comes_as_a_digest(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, per_hour=3)
    await post.confirmed("hook", receiver.url)
    ids = [await post.alert("hook", title=f"number {n}") for n in range(8)]
    await post.send()
    assert len(receiver.requests) == 3
    assert sorted(await post.statuses()) == [("PENDING", 0, None)] * 5 + [("SENT", 1, None)] * 3
    (digest,) = await post.deliveries("DIGEST")
    held = [row for row in await post.deliveries() if row["digest_id"]]
    assert {row["digest_id"] for row in held} == {digest["id"]}
    assert {row["next_attempt_at"] for row in held} == {digest["next_attempt_at"]}
    assert await post.work() == 1
    await post.pass_hours(1)
    receiver.answers = ["500 Oops"]
    await post.send()
    first, second = receiver.requests[3:]
    assert first.id == second.id == str(digest["id"])
    assert first.json["data"] == second.json["data"]
    assert first.json["type"] == "alert.digest"
    assert first.json["data"]["total"] == 5
    told = [alert["id"] for alert in first.json["data"]["alerts"]]
    sent = [request.json["data"]["id"] for request in receiver.alerts()]
    assert sorted(told + sent) == sorted(str(id) for id in ids)
    assert [status for status, _, _ in await post.statuses()] == ["SENT"] * 8
    # The new hour has room again.
    await post.alert("hook", title="later")
    await post.send()
    assert receiver.requests[-1].json["data"]["title"] == "later"


async def test_each_destination_has_its_digest(post: Post, receiver: HttpReceiver) -> None:
    """The limit is the user's, over all their destinations."""
    post.pace = replace(AT_ONCE, per_hour=2)
    await post.confirmed("a", f"{receiver.url}/a")
    await post.confirmed("b", f"{receiver.url}/b")
    for _ in range(3):
        await post.alert("a", "b")
    await post.send()
    assert len(receiver.requests) == 2
    await post.pass_hours(1)
    await post.send()
    digests = receiver.requests[2:]
    assert sorted(request.path for request in digests) == ["/hook/a", "/hook/b"]
    assert sum(request.json["data"]["total"] for request in digests) == 4


async def test_a_digest_that_is_given_up(post: Post, receiver: HttpReceiver) -> None:
    """What was in it can be tried again, each by itself."""
    post.pace = replace(AT_ONCE, per_hour=1, most_attempts=1)
    await post.confirmed("hook", receiver.url)
    for n in range(3):
        await post.alert("hook", title=f"number {n}")
    await post.send()
    await post.pass_hours(1)
    receiver.answers = ["500 Oops"]
    await post.send()
    dead = [row for row in await post.deliveries() if row["status"] == "DEAD"]
    assert len(dead) == 2
    await post.pass_hours(1)
    await post.desk.retry(post.actor, dead[0]["id"])
    await post.send()
    assert receiver.requests[-1].id == str(dead[0]["id"])
    assert receiver.requests[-1].json["type"] == "alert.raised"
    assert sorted(status for status, _, _ in await post.statuses()) == ["DEAD", "SENT", "SENT"]


async def test_a_long_digest_is_cut(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, per_hour=1)
    await post.confirmed("hook", receiver.url)
    for _ in range(61):
        await post.alert("hook")
    await post.send()
    await post.pass_hours(1)
    await post.send()
    data = receiver.requests[-1].json["data"]
    assert (data["total"], len(data["alerts"])) == (60, 50)


async def test_old_digests_and_codes_go(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, per_hour=1)
    await post.confirmed("hook", receiver.url)
    for _ in range(2):
        await post.alert("hook")
        await post.alert("hook")
        await post.send()
        await post.pass_hours(1)
        await post.send()
        await post.pass_hours(31 * 24)
    (digest,) = await post.deliveries("DIGEST")
    assert digest["status"] == "SENT"
    assert [status for status, _, _ in await post.statuses()] == ["SENT"] * 4
