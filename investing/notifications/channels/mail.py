"""E-mails, with a plain and an HTML part, over the operator's own SMTP server."""

import asyncio
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from functools import partial
from uuid import UUID

from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.notifications.channels.smtp import SmtpConfig
from investing.notifications.channels.threads import apart
from investing.rules.notifications.messages import Message

QUIT_SECONDS = 1.0


class MailChannel:
    """Sends mails in a thread: the standard library's SMTP has no other way.

    What goes wrong with the mail server itself is ours, and no fault of any address.
    """

    def __init__(self, smtp_config: SmtpConfig, *, patience: float) -> None:
        self._smtp_config = smtp_config
        self._patience = patience

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """One mail; the server has taken it when this returns. Raises Undelivered."""
        mail = compose(self._smtp_config.sender, target.address, message, delivery_id)
        connected: list[smtplib.SMTP] = []
        try:
            await apart(partial(self._send, mail, connected))
        except asyncio.CancelledError:
            # It took too long and counts as failed: it must not arrive after all, and then once more.
            for smtp in connected:
                _unsubscribe(smtp)
            raise

    def _send(self, mail: EmailMessage, connected: list[smtplib.SMTP]) -> None:
        begun = time.monotonic()
        try:
            smtp = self._connect()
            connected.append(smtp)
            try:
                if time.monotonic() - begun > self._patience:
                    raise TimeoutError
                smtp.send_message(mail)
            finally:
                _leave(smtp)
        except smtplib.SMTPRecipientsRefused as error:
            (code, _), *_ = error.recipients.values()
            # Of 5xx the server says that it is for good (RFC 5321, section 4.2.1).
            raise Undelivered(
                f"The mail server refused the address ({code}).", is_final=code >= 500
            ) from None
        except smtplib.SMTPDataError as error:
            raise Undelivered(f"The mail server refused the mail ({error.smtp_code}).") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(_what_failed(error), is_ours=True) from None

    def _connect(self) -> smtplib.SMTP:
        smtp_config = self._smtp_config
        smtp: smtplib.SMTP
        if smtp_config.security == "tls":
            smtp = smtplib.SMTP_SSL(
                smtp_config.host, smtp_config.port, timeout=self._patience, context=self._tls()
            )
        else:
            smtp = smtplib.SMTP(smtp_config.host, smtp_config.port, timeout=self._patience)
        try:
            if smtp_config.security == "starttls":
                smtp.starttls(context=self._tls())
            if smtp_config.username is not None:
                smtp.login(smtp_config.username, smtp_config.password or "")
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _tls(self) -> ssl.SSLContext:
        return self._smtp_config.tls or ssl.create_default_context()


def _unsubscribe(smtp: smtplib.SMTP) -> None:
    """Ends the connection under the thread that uses it, which then fails; from any other thread."""
    with suppress(OSError):
        if smtp.sock is not None:
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _leave(smtp: smtplib.SMTP) -> None:
    """Says goodbye. Whatever comes of that, the server has taken the mail by now, or has not."""
    with suppress(smtplib.SMTPException, OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(QUIT_SECONDS)
            smtp.quit()
    smtp.close()


def _what_failed(error: Exception) -> str:
    """What is wrong with the mail server, without what it said: that may repeat what it was told."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"The mail server refused the login ({error.smtp_code})."
        case smtplib.SMTPResponseException():
            return f"The mail server answered {error.smtp_code}."
        case smtplib.SMTPNotSupportedError():
            # The library's own words: which extension is missing.
            return f"The mail server cannot do what it has to: {error}"
        case ssl.SSLCertVerificationError():
            return f"The mail server's certificate is refused: {error.verify_message.rstrip('.')}."
        case TimeoutError():
            return "The mail server took too long."
        case _:
            return f"The mail server was not reached: {type(error).__name__}."


def compose(sender: str, recipient: str, message: Message, delivery_id: UUID) -> EmailMessage:
    """The mail. Its Message-ID is the delivery's, the same at each attempt, by which doubles are dropped."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(localtime())
    domain = sender.rpartition("@")[2].strip(" >") or "localhost"
    mail["Message-ID"] = f"<{delivery_id}@{domain}>"
    # So that nobody's absence answers it (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Graphfolio-Delivery"] = str(delivery_id)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
