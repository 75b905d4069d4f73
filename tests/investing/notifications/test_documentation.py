"""What docs/notifications.md tells a receiver to do, done."""

from pathlib import Path
from typing import Any

from tests.investing.notifications.post import Post
from tests.investing.notifications.receivers import HttpReceiver

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "notifications.md").read_text()


def documented() -> Any:
    """The function `verify` of the page."""
    (code,) = (part.removeprefix("python\n") for part in TEXT.split("```") if part.startswith("python\n"))
    assert len(code.strip().splitlines()) <= 12
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


async def test_verifying_a_webhook(post: Post, receiver: HttpReceiver) -> None:
    verify = documented()
    made = await post.confirmed("hook", receiver.url)
    await post.alert("hook")
    await post.send()
    (request,) = receiver.requests
    assert verify(made.signing_secret, request.headers, request.body)
    assert not verify(made.signing_secret, request.headers, request.body + b" ")
    assert not verify("whsec_" + "A" * 44, request.headers, request.body)
    for name, value in (("webhook-id", "another"), ("webhook-timestamp", "1700000000")):
        assert not verify(made.signing_secret, {**request.headers, name: value}, request.body)
    secret = await post.desk.rotate_secret(post.actor, made.id)
    await post.alert("hook")
    await post.send()
    both = receiver.requests[-1]
    assert verify(made.signing_secret, both.headers, both.body)
    assert verify(secret, both.headers, both.body)
