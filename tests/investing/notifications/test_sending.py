"""From an alert to its receiver, over real sockets: what arrives, and what happens where it does not."""

import base64
import datetime as dt
import hashlib
import hmac
from dataclasses import replace
from email.utils import format_datetime
from uuid import UUID

import pytest

from db.vocabulary import AlertKind, AlertSeverity, DestinationKind
from investing.alerts.raising import NewAlert, raise_alerts
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from tests.conftest import on_one_server
from tests.investing.notifications.post import AT_ONCE, Post, drain
from tests.investing.notifications.receivers import HttpReceiver, MailServer

EMAIL, APPRISE = DestinationKind.EMAIL, DestinationKind.APPRISE


async def test_a_webhook(post: Post, receiver: HttpReceiver) -> None:
    made = await post.confirmed("hook", receiver.url)
    alert_id = await post.alert("hook")
    await post.send()
    (request,) = receiver.requests
    (delivery,) = await post.deliveries()
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert UUID(request.id) == delivery["id"]
    assert request.json["type"] == "alert.raised"
    data = request.json["data"]
    assert data.pop("createdAt")
    assert data == {
        "id": str(alert_id),
        "kind": "PRICE_ABOVE",
        "severity": "WARNING",
        "title": "AAPL is above 200",
        "message": "AAPL costs 201.50.",
        "metrics": {"price": "201.5"},
        "symbol": None,
    }
    # Computed here once more, from the specification's words.
    assert made.signing_secret is not None
    key = base64.b64decode(made.signing_secret.removeprefix("whsec_"))
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert await post.statuses() == [("SENT", 1, None)]
    assert delivery["sent_at"] is not None
    assert await post.work() == 0
    assert (await post.destination(made.id))["last_sent_at"] == delivery["sent_at"]


async def test_a_mail(post: Post, mails: MailServer) -> None:
    await post.confirmed("mail", "holder@example.org", EMAIL)
    title = "AAPL <b>up</b>\r\nBcc: stranger@example.org"
    await post.alert("mail", title=title, message="<script>1</script> & more")
    await post.send()
    (mail,) = mails.mails
    (delivery,) = await post.deliveries()
    assert mails.recipients == ["holder@example.org"]
    assert mail["To"] == "holder@example.org"
    assert mail["From"] == "Graphfolio <alerts@graphfolio.example>"
    assert mail["Subject"] == "AAPL <b>up</b> Bcc: stranger@example.org"
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == f"<{delivery['id']}@graphfolio.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())  # type: ignore[attr-defined]
    assert mail.get_content_type() == "multipart/alternative"
    assert plain.startswith("<script>1</script> & more\n\nWARNING, price 201.5, 20")
    assert "&lt;script&gt;1&lt;/script&gt; &amp; more" in html
    assert "<script" not in html


async def test_a_service_of_apprise(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("phone", f"gotify://127.0.0.1:{receiver.port}/atoken", APPRISE)
    await post.alert("phone")
    await post.send()
    (request,) = receiver.requests
    (delivery,) = await post.deliveries()
    assert request.path == "/message"
    assert request.json["title"] == "AAPL is above 200"
    assert request.json["message"].startswith("AAPL costs 201.50.")
    assert f"Delivery {delivery['id']}" in request.json["message"]
    assert await post.statuses() == [("SENT", 1, None)]


async def test_a_failure_is_tried_again_with_the_same_id(post: Post, receiver: HttpReceiver) -> None:
    made = await post.confirmed("hook", receiver.url)
    receiver.answers = ["500 Oops", "429 Later"]
    await post.alert("hook")
    await post.send()
    assert len(receiver.requests) == 3
    assert len({request.id for request in receiver.requests}) == 1
    assert await post.statuses() == [("SENT", 3, None)]
    assert (await post.destination(made.id))["failures"] == 0


async def test_waiting_between_attempts(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, first_wait=3600)
    made = await post.confirmed("hook", receiver.url)
    receiver.answers = ["500 Oops"]
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("FAILED", 1, "The receiver answered with the status 500.")]
    assert (await post.destination(made.id))["failures"] == 1
    (delivery,) = await post.deliveries()
    wait = (delivery["next_attempt_at"] - delivery["updated_at"]).total_seconds()
    assert 1790 < wait < 3610
    await post.send()
    assert len(receiver.requests) == 1
    await post.pass_hours(1)
    await post.send()
    assert await post.statuses() == [("SENT", 2, None)]


@on_one_server
@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        ("429 Too Many Requests", "3000", 3000),
        ("503 Service Unavailable", "date", 3000),
        ("503 Service Unavailable", "1", 1800),
        ("429 Too Many Requests", "99999999", 8 * 3600),
        # Of these it says nothing about the next attempt.
        ("500 Oops", "9000", 1800),
        ("302 Found", "9000", 1800),
    ],
)
async def test_a_receiver_that_asks_for_time(
    post: Post,
    receiver: HttpReceiver,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    asked: str,
    seconds: float,
) -> None:
    monkeypatch.setattr("random.random", lambda: 0)
    post.pace = replace(AT_ONCE, first_wait=3600)
    await post.confirmed("hook", receiver.url)
    receiver.answers = [status]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    receiver.extra = f"Retry-After: {format_datetime(later, usegmt=True) if asked == 'date' else asked}\r\n"
    await post.alert("hook")
    await post.send()
    (delivery,) = await post.deliveries()
    wait = (delivery["next_attempt_at"] - delivery["updated_at"]).total_seconds()
    assert wait == pytest.approx(seconds, abs=20)


async def test_a_dead_one_and_its_retry(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, most_attempts=3)
    await post.confirmed("hook", receiver.url)
    receiver.answers = ["500 Oops"] * 3
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("DEAD", 3, "The receiver answered with the status 500.")]
    assert await post.work() == 0
    (delivery,) = await post.deliveries()
    await post.desk.retry(post.actor, delivery["id"])
    assert await post.statuses() == [("PENDING", 0, None)]
    await post.send()
    assert await post.statuses() == [("SENT", 1, None)]
    assert len({request.id for request in receiver.requests}) == 1


async def test_gone_is_gone(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("hook", receiver.url)
    receiver.answers = ["410 Gone"]
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("DEAD", 1, "The receiver answered with the status 410.")]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Other", "308 Other"])
async def test_no_redirect_is_followed(post: Post, receiver: HttpReceiver, status: str) -> None:
    post.pace = replace(AT_ONCE, most_attempts=1)
    await post.confirmed("hook", receiver.url)
    receiver.answers = [status]
    receiver.extra = f"location: {receiver.url}/private\r\n"
    await post.alert("hook")
    await post.send()
    assert [request.path for request in receiver.requests] == ["/hook"]
    assert await post.statuses() == [("DEAD", 1, f"The receiver answered with the status {status[:3]}.")]


async def test_a_slow_answer(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, timeout=0.3, most_attempts=2)
    await post.confirmed("hook", receiver.url)
    receiver.delay = 5
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("DEAD", 2, "The receiver took too long.")]
    assert len({request.id for request in receiver.requests}) == 1
    assert len(receiver.requests) == 2


async def test_an_endless_answer_is_not_read(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("hook", receiver.url)
    receiver.is_endless = True
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("SENT", 1, None)]


async def test_nobody_there(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, most_attempts=1)
    await post.confirmed("hook", "http://127.0.0.1:9/hook")
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("DEAD", 1, "The receiver could not be reached: ConnectError.")]


async def test_a_mail_address_that_is_refused(post: Post, mails: MailServer) -> None:
    post.pace = replace(AT_ONCE, most_attempts=2)
    await post.confirmed("for good", "gone@example.org", EMAIL)
    await post.confirmed("for now", "busy@example.org", EMAIL)
    mails.refused = {"gone@example.org": "550 No such user", "busy@example.org": "451 Try again"}
    await post.alert("for good")
    await post.alert("for now")
    await post.send()
    assert await post.statuses() == [
        ("DEAD", 1, "The mail server refused the address (550)."),
        ("DEAD", 2, "The mail server refused the address (451)."),
    ]


async def test_no_mail_server(post: Post) -> None:
    post.pace = replace(AT_ONCE, most_attempts=1)
    await post.confirmed("mail", "holder@example.org", EMAIL)
    await post.alert("mail")
    await post.send()
    error = "This server cannot send to destinations of the kind EMAIL."
    assert await post.statuses() == [("DEAD", 1, error)]


async def test_a_destination_that_fails_and_fails_is_switched_off(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, most_attempts=2, give_up_after=3, first_wait=3600)
    made = await post.confirmed("hook", receiver.url)
    receiver.answers = ["500 Oops"] * 3
    for _ in range(4):
        await post.alert("hook")
        await post.send()
    row = await post.destination(made.id)
    assert (row["is_active"], row["failures"]) == (False, 3)
    async with post.sessions.reading(post.actor.id) as connection:
        told = await connection.fetchval(
            "SELECT details FROM audit_log WHERE action = 'notificationDestination.switchedOff'"
        )
    assert told == {"name": "hook", "failures": "3", "reason": "The receiver answered with the status 500."}
    switched_off = (
        "The destination was switched off after failing repeatedly: "
        "The receiver answered with the status 500."
    )
    assert await post.statuses() == [("DEAD", 1, switched_off)] * 3
    assert await post.work() == 0
    # Another code switches it on.
    await post.desk.resend_code(post.actor, made.id)
    await post.send()
    assert receiver.requests[-1].json["type"] == "destination.confirmation"
    await post.desk.confirm(post.actor, made.id, receiver.requests[-1].json["data"]["code"])
    row = await post.destination(made.id)
    assert (row["is_active"], row["failures"]) == (True, 0)
    await post.alert("hook")
    await post.send()
    assert (await post.statuses())[-1] == ("SENT", 1, None)


async def test_a_key_that_is_missing(
    post: Post, receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator's to mend: tried again, told once, and no destination is to blame."""
    post.pace = replace(AT_ONCE, first_wait=3600, give_up_after=1)
    made = await post.confirmed("hook", receiver.url)
    right, post.secret_box = post.secret_box, SecretBox(KeyRing.generate)
    sender = post.sender
    for _ in range(2):
        await post.alert("hook")
        await drain(sender)
    reason = "A stored secret is sealed with a key that is not among the sealing keys."
    assert await post.statuses() == [("FAILED", 1, reason)] * 2
    row = await post.destination(made.id)
    assert (row["failures"], row["is_active"]) == (0, True)
    assert [r.getMessage() for r in caplog.records] == [f"Opening destinations does not work: {reason}"]
    post.secret_box = right
    await post.pass_hours(1)
    await post.send()
    assert await post.statuses() == [("SENT", 2, None)] * 2


async def test_several_channels_and_unknown_ones(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("a", f"{receiver.url}/a")
    await post.confirmed("b", f"{receiver.url}/b")
    await post.alert("a", "b", "a", "nobody")
    await post.alert()
    await post.send()
    assert sorted(request.path for request in receiver.requests) == ["/hook/a", "/hook/b"]
    assert sorted(row["channel"] for row in await post.deliveries()) == ["a", "b"]


async def test_what_is_undone_is_not_sent(post: Post, receiver: HttpReceiver) -> None:
    """The delivery is a part of the alert's transaction."""
    await post.confirmed("hook", receiver.url)

    async def raised_and_undone() -> None:
        new = NewAlert(AlertKind.DRIFT, AlertSeverity.INFO, "Lost", "Undone.", {}, channels=["hook"])
        async with post.sessions.begin(post.actor.id) as session:
            await raise_alerts(session, post.actor.id, [new])
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await raised_and_undone()
    assert await post.deliveries() == []
    await post.send()
    assert receiver.requests == []


async def test_who_is_shut_out_is_sent_nothing(post: Post, receiver: HttpReceiver) -> None:
    await post.confirmed("hook", receiver.url)
    await post.alert("hook")
    await post.run("UPDATE users SET is_active = false WHERE id = $1", post.actor.id)
    await post.send()
    assert receiver.connections == 0
    assert await post.statuses() == [("DEAD", 0, "The user is deactivated.")]


async def test_one_slow_user_holds_up_nobody(post: Post, receiver: HttpReceiver) -> None:
    """Places are shared: however much is due to one, another's is sent beside it."""
    other_actor, _ = await post.exchange.trader("1")
    other = Post(post.sessions, post.exchange, other_actor, secret_box=post.secret_box)
    await post.confirmed("hook", f"{receiver.url}/slow")
    await other.confirmed("hook", f"{receiver.url}/quick")
    for _ in range(20):
        await post.alert("hook")
    await other.alert("hook")
    receiver.delay = 0.2
    sender = post.sender
    await sender.take()
    await sender.take()
    await drain(sender)
    assert [request.path for request in receiver.requests].index("/hook/quick") < 8
    assert [status for status, _, _ in await post.statuses()] == ["SENT"] * 20
