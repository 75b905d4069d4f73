"""Real receivers on this machine: one that speaks HTTP, and one that speaks SMTP."""

import asyncio
import email
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.faults.waiting import until

OK = "200 OK"


@dataclass(frozen=True)
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]


@dataclass
class HttpReceiver:
    """Answers each request with the next of `answers`, and then with 200, after `delay` seconds."""

    port: int
    answers: list[str] = field(default_factory=list)
    delay: float = 0
    extra: str = ""
    is_endless: bool = False
    body: bytes = b"thanks"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> set[str]:
        """The ids of the deliveries that have come in."""
        return {request.id for request in self.requests}

    def alerts(self) -> list[Request]:
        """The requests that tell an alert."""
        return [request for request in self.requests if request.json["type"] == "alert.raised"]

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Waits until something that has come in makes it true."""

        async def is_true() -> bool:
            return condition()

        await until(is_true, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(Request(head[0].split()[1], headers, body))
            status = self.answers.pop(0) if self.answers else OK
            await asyncio.sleep(self.delay)
            length = 10**15 if self.is_endless else len(self.body)
            answer = f"HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{self.extra}\r\n"
            writer.write(answer.encode() + self.body)
            await writer.drain()
            while self.is_endless:
                writer.write(b"x" * 65536)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            # The sender has hung up.
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_receiver(**tls: Any) -> AsyncIterator[HttpReceiver]:
    """A receiver on a free port."""
    receiver = HttpReceiver(0)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, **tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@dataclass
class MailServer:
    """Takes mails; refuses the addresses in `refused`, for good or for now, and logins but with `password`.

    `secured` says of each mail whether it came through TLS, `logins` who tried to log in. A goodbye is
    answered after `delay` seconds, each greeting and address after `slowness`.
    """

    port: int = 0
    password: str = ""
    delay: float = 0
    slowness: float = 0
    refused: dict[str, str] = field(default_factory=dict)
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        """aiosmtpd's authenticator."""
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == self.password, handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook for a recipient."""
        await asyncio.sleep(self.slowness)
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """aiosmtpd's hook for a greeting."""
        await asyncio.sleep(self.slowness)
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook for a sender."""
        await asyncio.sleep(self.slowness)
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook for a mail."""
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        self.secured.append(server.transport.get_extra_info("ssl_object") is not None)
        self.recipients.extend(envelope.rcpt_tos)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook for a goodbye."""
        await asyncio.sleep(self.delay)
        return "221 Bye"


@asynccontextmanager
async def secured_mail_server(
    tls: ssl.SSLContext, *, at_once: bool = False, offered: bool = True
) -> AsyncIterator[MailServer]:
    """A mail server with TLS, from the first byte or after STARTTLS if that is offered, on this loop."""
    server = MailServer()
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {
        "authenticator": server.authenticate,
        "tls_context": None if at_once or not offered else tls,
        "auth_require_tls": offered and not at_once,
    }
    running = await loop.create_server(
        lambda: SMTP(server, loop=loop, **options), "127.0.0.1", 0, ssl=tls if at_once else None
    )
    server.port = running.sockets[0].getsockname()[1]
    async with running:
        yield server


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """A mail server on a free port, in a thread of its own."""
    server = MailServer()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server.port = bound.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
