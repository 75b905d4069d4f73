"""The operator's SMTP server."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class SmtpConfig:
    """The SMTP server that sends the mails, and their sender."""

    host: str
    port: int
    sender: str
    security: Security = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
