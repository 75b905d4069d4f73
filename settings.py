"""Every setting, each with a default that is safe. Set by environment variable or in a file `.env`."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from investing.rules.errors import InvalidInput
from investing.rules.time_zones import DEFAULT, checked_time_zone


class Settings(BaseSettings):
    """What an operator may choose. The names are GRAPHFOLIO_ and the field's, but for DATABASE_URL."""

    model_config = SettingsConfigDict(
        env_prefix="GRAPHFOLIO_",
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        # What was given may be a secret.
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="PostgreSQL 15 or newer that the server uses; without it, an embedded one is started.",
    )
    owner_database_url: SecretStr | None = Field(
        None, description="The same database for the role that migrates; DATABASE_URL if left out."
    )
    data_dir: Path = Field(
        Path(".graphfolio"), description="Where the embedded PostgreSQL and generated secrets are kept."
    )
    host: str = Field("127.0.0.1", description="The address that the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that the server listens on.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins, by comma, of other pages that may call the API from a browser."
    )
    token_keys: SecretStr | None = Field(
        None,
        description="Keys for access tokens, `kid:base64` by comma, the first one signs; generated into "
        "the data folder if left out.",
    )
    token_issuer: str = Field("graphfolio", description="The `iss` of access tokens.")
    token_audience: str = Field("graphfolio", description="The `aud` of access tokens.")
    access_token_minutes: int = Field(10, ge=1, le=60, description="How long an access token is good.")
    refresh_token_days: int = Field(30, ge=1, le=365, description="How long an unused refresh token is good.")
    pool_size: int = Field(
        10,
        ge=1,
        le=1000,
        description="Database connections for reading, as many for trades, half as many each for the rest "
        "and for the paper broker.",
    )
    operation_timeout_seconds: float = Field(30, gt=0, description="How long one operation may take.")
    login_attempts: int = Field(
        10,
        ge=0,
        le=10**6,
        description="How often one address may try to log in to one name in ten minutes; ten times as often "
        "one name from anywhere, and one address to any names. 0 is no limit.",
    )
    passwords_at_once: int = Field(2, ge=1, le=64, description="Passwords hashed at once: 64 MiB each.")
    paper_commission_per_order: Decimal = Field(
        Decimal(0), ge=0, lt=10**6, description="What the paper broker takes for each order."
    )
    paper_commission_per_share: Decimal = Field(
        Decimal(0), ge=0, lt=10**6, description="What the paper broker takes for each share."
    )
    paper_slippage: Decimal = Field(
        Decimal(0),
        ge=0,
        lt=1,
        description="By how much the paper broker's price is worse than the quote, as a fraction.",
    )
    paper_shares_per_tick: Decimal | None = Field(
        None,
        gt=0,
        description="How many shares of an order one tick fills at the paper broker; all if empty.",
    )
    quote_max_age_hours: Decimal | None = Field(
        None, gt=0, lt=10**6, description="How old a quote a MARKET order may trust; any age if empty."
    )
    broker_timeout_seconds: float = Field(
        5, gt=0, le=60, description="How long a broker has for an answer; after that it is looked up."
    )
    worker: bool = Field(True, description="Whether `serve` runs the jobs too, such as scheduled rebalances.")
    drift_check_minutes: Decimal = Field(
        Decimal(15), gt=0, lt=10**6, description="How often portfolios with a driftBand are held against it."
    )
    optimiser_workers: int = Field(
        1, ge=1, le=64, description="Processes that find target weights, 200 MB each, started when needed."
    )
    optimiser_timeout_seconds: float = Field(
        10, gt=0, le=300, description="How long the optimiser has for an answer; then its process is ended."
    )
    listen_database_url: SecretStr | None = Field(
        None,
        description="The same database with no pooler between, to listen for what other processes "
        "announce; DATABASE_URL if left out.",
    )
    notifier_url: SecretStr | None = Field(
        None,
        description="The NATS server that tells processes of each other's announcements, "
        "`nats://host:4222` or `tls://host:4222`, with `user:password@` or `token@`; PostgreSQL does if "
        "empty.",
    )
    stream_events_per_second: float = Field(
        5, gt=0, le=1000, description="How many prices or values a second one subscription gets at the most."
    )
    sealing_keys: SecretStr | None = Field(
        None,
        description="Keys that stored secrets are sealed with, `kid:base64` by comma, the first one seals; "
        "generated into the data folder if left out.",
    )
    send_notifications: bool = Field(
        True, description="Whether this process sends notifications; they wait where none does."
    )
    notifications_per_hour: int = Field(
        60, ge=1, le=10**6, description="How many alerts a user is sent an hour; the rest come as a digest."
    )
    allow_private_destinations: bool = Field(
        False,
        description="Whether webhooks may go to private addresses and without TLS, and apprise to hosts of "
        "your own.",
    )
    smtp_host: str | None = Field(
        None, description="The SMTP server that takes e-mails; none are sent if empty."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="The port of the SMTP server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the SMTP server is spoken to: `starttls`, `tls` or `none`."
    )
    smtp_username: str | None = Field(None, description="The login at the SMTP server, where it wants one.")
    smtp_password: SecretStr | None = Field(None, description="The password of that login.")
    smtp_sender: str = Field(
        "graphfolio@localhost", description="Whom e-mails are from: an address, or `Name <address>`."
    )
    feed: Literal["", "none", "replay"] = Field(
        "",
        description="Where prices come from: `replay` (the last two years of the daily closes there are, as "
        "if they were of now) or `none`; if left out, `demo` replays and `serve` does not.",
    )
    replay_speed: float = Field(
        1, gt=0, le=100, description="How many days the feed `replay` brings in a second."
    )
    time_zone: str = Field(
        DEFAULT, description="The IANA time zone of new accounts and users; each can have another one."
    )
    alert_retention_days: int = Field(365, ge=1, le=36500, description="How long alerts are kept.")
    demo_password: SecretStr | None = Field(
        None, description="The password of the demo user; generated and printed once if left out."
    )

    @property
    def listen_url(self) -> str | None:
        """The address to listen at, where one of its own is set."""
        found = self.listen_database_url
        return None if found is None else found.get_secret_value()

    @field_validator(
        "paper_shares_per_tick",
        "quote_max_age_hours",
        "notifier_url",
        "smtp_host",
        "smtp_username",
        mode="before",
    )
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("time_zone")
    @classmethod
    def _of_a_place(cls, value: str) -> str:
        try:
            return checked_time_zone(value)
        except InvalidInput as refused:
            raise PydanticCustomError("time_zone", refused.message) from None

    @field_validator("notifier_url")
    @classmethod
    def _of_nats(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _leads_to_nats(value.get_secret_value()):
            raise PydanticCustomError(
                "nats_url", "Should be nats://host:4222 or tls://host:4222, with user:password@ or token@"
            )
        return value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        return (
            [origin.strip() for origin in value.split(",") if origin.strip()]
            if isinstance(value, str)
            else value
        )

    @classmethod
    def settings_names(cls) -> dict[str, str]:
        """Each field's environment variable."""
        return {
            name: "DATABASE_URL" if name == "database_url" else f"GRAPHFOLIO_{name.upper()}"
            for name in cls.model_fields
        }


def _leads_to_nats(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("nats", "tls")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.path.strip("/") or parts.query or parts.fragment)
        )
    except ValueError:
        # Of its port or its address.
        return False
