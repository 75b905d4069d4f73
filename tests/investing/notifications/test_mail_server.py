"""The operator's mail server, with TLS and a login: when mails go out, and what is said if not."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from db.vocabulary import DestinationKind
from investing.notifications.channels.smtp import Security, SmtpConfig
from tests.conftest import on_one_server
from tests.investing.notifications.certificates import certified
from tests.investing.notifications.post import AT_ONCE, Post, drain
from tests.investing.notifications.receivers import MailServer, mail_server, secured_mail_server

pytestmark = on_one_server

EMAIL = DestinationKind.EMAIL
PASSWORD = "a-password-of-the-operators"
LATER = replace(AT_ONCE, first_wait=3600, give_up_after=2)
"""One attempt for each alert, and two failures of its own switch a destination off."""


@pytest.fixture(params=["localhost"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side with a certificate for the name, and a client's that trusts it."""
    authority, chain = certified(tmp_path, request.param)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain)
    return serving, ssl.create_default_context(cafile=str(authority))


Tls = tuple[ssl.SSLContext, ssl.SSLContext]


def smtp_config(
    server: MailServer, security: Security, trust: ssl.SSLContext | None, password: str | None = PASSWORD
) -> SmtpConfig:
    """The settings of whoever runs the server."""
    name = None if password is None else "graphfolio"
    return SmtpConfig("localhost", server.port, "alerts@graphfolio.example", security, name, password, trust)


async def sent_twice(post: Post) -> None:
    """Two alerts by mail, sent by the same process."""
    await post.confirmed("mail", "holder@example.org", EMAIL)
    sender = post.sender
    for _ in range(2):
        await post.alert("mail")
        await drain(sender)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server said in its log, and nowhere a password."""
    assert PASSWORD not in caplog.text
    return [r.getMessage() for r in caplog.records if r.name.startswith("graphfolio")]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("password", [PASSWORD, None])
async def test_a_mail_over_tls(post: Post, tls: Tls, security: Security, password: str | None) -> None:
    async with secured_mail_server(tls[0], at_once=security == "tls") as server:
        server.password = PASSWORD
        post.smtp_config = smtp_config(server, security, tls[1], password)
        await sent_twice(post)
    assert await post.statuses() == [("SENT", 1, None)] * 2
    assert server.secured == [True, True]
    assert server.logins == ([] if password is None else ["graphfolio"] * 2)


async def refused(
    post: Post, server: MailServer, reason: str, caplog: pytest.LogCaptureFixture, status: str = "FAILED"
) -> None:
    """Nothing went out, it is due again, the destination is not blamed, and one line says so."""
    post.pace = LATER
    await sent_twice(post)
    assert (server.mails, server.recipients) == ([], [])
    assert await post.statuses() == [(status, 1, reason)] * 2
    (row,) = [await post.destination(d["destination_id"]) for d in (await post.deliveries())[:1]]
    assert (row["failures"], row["is_active"]) == (0, True)
    assert logged(caplog) == [f"Sending by EMAIL does not work: {reason}"]


async def test_a_wrong_password(post: Post, tls: Tls, caplog: pytest.LogCaptureFixture) -> None:
    """The operator's to mend: tried again, and once it is mended the log says so."""
    async with secured_mail_server(tls[0]) as server:
        server.password = "another"
        post.smtp_config = smtp_config(server, "starttls", tls[1])
        await refused(post, server, "The mail server refused the login (535).", caplog)
        assert server.logins
        sender = post.sender
        caplog.clear()
        await post.pass_hours(1)
        await drain(sender)
        server.password = PASSWORD
        await post.pass_hours(4)
        await drain(sender)
        assert await post.statuses() == [("SENT", 3, None)] * 2
    assert logged(caplog) == [
        "Sending by EMAIL does not work: The mail server refused the login (535).",
        "Sending by EMAIL works again.",
    ]


async def test_no_starttls(post: Post, tls: Tls, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the mail nor the password goes out in clear."""
    async with secured_mail_server(tls[0], offered=False) as server:
        post.smtp_config = smtp_config(server, "starttls", tls[1])
        reason = "The mail server lacks a required extension: STARTTLS extension not supported by server."
        await refused(post, server, reason, caplog)
    assert server.logins == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_authority(
    post: Post, tls: Tls, security: Security, caplog: pytest.LogCaptureFixture
) -> None:
    async with secured_mail_server(tls[0], at_once=security == "tls") as server:
        post.smtp_config = smtp_config(server, security, None)
        await refused(
            post, server, "The mail server's certificate is not valid: self-signed certificate.", caplog
        )
    assert server.logins == []


@pytest.mark.parametrize("tls", ["mail.example"], indirect=True)
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name(
    post: Post, tls: Tls, security: Security, caplog: pytest.LogCaptureFixture
) -> None:
    async with secured_mail_server(tls[0], at_once=security == "tls") as server:
        post.smtp_config = smtp_config(server, security, tls[1])
        await refused(
            post,
            server,
            "The mail server's certificate is not valid: Hostname mismatch, certificate is not valid for "
            "'localhost'.",
            caplog,
        )
    assert server.logins == []


async def test_nobody_takes_mails(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    server = MailServer(port=9)
    post.smtp_config = smtp_config(server, "none", None, None)
    await refused(post, server, "The mail server could not be reached: ConnectionRefusedError.", caplog)


async def test_a_goodbye_that_is_not_answered(post: Post) -> None:
    """The mail was taken: it is not sent again."""
    post.pace = replace(AT_ONCE, timeout=10)
    with mail_server() as server:
        server.delay = 30
        post.smtp_config = smtp_config(server, "none", None, None)
        await sent_twice(post)
    assert await post.statuses() == [("SENT", 1, None)] * 2
    assert len(server.mails) == 2


@pytest.mark.parametrize("security", ["starttls", "none"])
async def test_a_slow_mail_server(
    post: Post, tls: Tls, security: Security, caplog: pytest.LogCaptureFixture
) -> None:
    """What counts as failed does not arrive all the same, to be sent again: slow at the login, or after."""
    post.pace = replace(AT_ONCE, timeout=0.9, most_attempts=1)
    async with secured_mail_server(tls[0]) as server:
        server.slowness, server.password = 0.5, PASSWORD
        post.smtp_config = smtp_config(server, security, tls[1], None if security == "none" else PASSWORD)
        await post.confirmed("mail", "holder@example.org", EMAIL)
        await post.alert("mail")
        await post.send()
        await asyncio.sleep(1.4)
    assert (server.mails, server.recipients) == ([], [])
    assert await post.statuses() == [("DEAD", 1, "The receiver took too long.")]
    assert logged(caplog) == ["Sending by EMAIL does not work: The receiver took too long."]
