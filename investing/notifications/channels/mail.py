"""E-mails, with a plain and an HTML part, through the operator's own SMTP server."""

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
from investing.notifications.channels.threads import in_thread
from investing.rules.notifications.messages import Message

QUIT_SECONDS = 1.0


class MailChannel:
    """Send mails in a thread, because the standard library's SMTP client is synchronous.

    A failure of the mail server itself counts as ours, and not against any address.
    """

    def __init__(self, smtp_config: SmtpConfig, *, timeout: float) -> None:
        self._smtp_config = smtp_config
        self._timeout = timeout

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """Send one mail; the server has accepted it when this returns. Raise Undelivered if it has not."""
        mail = compose(self._smtp_config.sender, target.address, message, delivery_id)
        connected: list[smtplib.SMTP] = []
        try:
            await in_thread(partial(self._send, mail, connected))
        except asyncio.CancelledError:
            # It took too long and counts as failed: it must not arrive after all and then a second time.
            for smtp in connected:
                _disconnect(smtp)
            raise

    def _send(self, mail: EmailMessage, connected: list[smtplib.SMTP]) -> None:
        begun = time.monotonic()
        try:
            smtp = self._connect()
            connected.append(smtp)
            try:
                if time.monotonic() - begun > self._timeout:
                    raise TimeoutError
                smtp.send_message(mail)
            finally:
                _quit(smtp)
        except smtplib.SMTPRecipientsRefused as error:
            (code, _), *_ = error.recipients.values()
            # A code of 5xx means that the failure is permanent (RFC 5321, section 4.2.1).
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
                smtp_config.host, smtp_config.port, timeout=self._timeout, context=self._tls()
            )
        else:
            smtp = smtplib.SMTP(smtp_config.host, smtp_config.port, timeout=self._timeout)
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


def _disconnect(smtp: smtplib.SMTP) -> None:
    """Shut the connection down from any thread; the thread that uses it then fails."""
    with suppress(OSError):
        if smtp.sock is not None:
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _quit(smtp: smtplib.SMTP) -> None:
    """Quit and close the connection. By now the server has accepted the mail, or has not."""
    with suppress(smtplib.SMTPException, OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(QUIT_SECONDS)
            smtp.quit()
    smtp.close()


def _what_failed(error: Exception) -> str:
    """Return what is wrong with the mail server.

    Its own text is left out, because it may repeat secrets that were sent to it.
    """
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"The mail server refused the login ({error.smtp_code})."
        case smtplib.SMTPResponseException():
            return f"The mail server answered {error.smtp_code}."
        case smtplib.SMTPNotSupportedError():
            # The library's text says which extension is missing.
            return f"The mail server lacks a required extension: {error}"
        case ssl.SSLCertVerificationError():
            return f"The mail server's certificate is not valid: {error.verify_message.rstrip('.')}."
        case TimeoutError():
            return "The mail server took too long."
        case _:
            return f"The mail server could not be reached: {type(error).__name__}."


def compose(sender: str, recipient: str, message: Message, delivery_id: UUID) -> EmailMessage:
    """Return the mail. Its Message-ID is the same at each attempt, so that duplicates can be dropped."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(localtime())
    domain = sender.rpartition("@")[2].strip(" >") or "localhost"
    mail["Message-ID"] = f"<{delivery_id}@{domain}>"
    # So that no out-of-office reply is sent to it (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Graphfolio-Delivery"] = str(delivery_id)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
