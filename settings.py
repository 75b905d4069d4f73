"""Every setting, each with a safe default. Set as environment variables or in a file `.env`."""

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
    """What an operator may choose.

    The environment variable of a field is GRAPHFOLIO_ and its name, except for DATABASE_URL.
    """

    model_config = SettingsConfigDict(
        env_prefix="GRAPHFOLIO_",
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        # A wrong value may be a secret.
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="The PostgreSQL to use, 15 or newer; if left out, an embedded one is started.",
    )
    owner_database_url: SecretStr | None = Field(
        None, description="The same database with the login that runs migrations; DATABASE_URL if left out."
    )
    data_dir: Path = Field(
        Path(".graphfolio"), description="The directory of the embedded PostgreSQL and of generated secrets."
    )
    host: str = Field("127.0.0.1", description="The address that the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that the server listens on.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of other pages that may call the API from a browser, separated by commas."
    )
    token_keys: SecretStr | None = Field(
        None,
        description="Keys for access tokens, `kid:base64` separated by commas; the first one signs. "
        "Generated in the data directory if left out.",
    )
    token_issuer: str = Field("graphfolio", description="The `iss` of access tokens.")
    token_audience: str = Field("graphfolio", description="The `aud` of access tokens.")
    access_token_minutes: int = Field(
        10, ge=1, le=60, description="How many minutes an access token is valid."
    )
    refresh_token_days: int = Field(
        30, ge=1, le=365, description="How many days an unused refresh token is valid."
    )
    pool_size: int = Field(
        10,
        ge=1,
        le=1000,
        description="Database connections for writing the ledger; there are half as many each for compiled "
        "queries, for other reads, for other writes, and for the paper broker.",
    )
    compiler: bool = Field(
        True,
        description="Whether queries of stored data are answered by one SQL statement each; if not, as "
        "everything else, by the resolvers.",
    )
    operation_timeout_seconds: float = Field(30, gt=0, description="How many seconds one operation may take.")
    max_query_cost: int = Field(
        500_000,
        ge=1_000,
        le=10**9,
        description="The most values that one query may read, counted by the rows that its user has.",
    )
    max_answer_bytes: int = Field(
        16_000_000, ge=10_000, le=10**9, description="The most bytes that one answer may have."
    )
    operations_per_user: int = Field(
        8,
        ge=0,
        le=1000,
        description="How many operations of one user run at once; others wait in line. 0 is no limit.",
    )
    seconds_per_user: float = Field(
        60,
        ge=0,
        le=10**6,
        description="How many seconds of the processor and of the database one user may be ahead of a second "
        "each second; then requests are refused for a while. 0 is no limit.",
    )
    sockets_per_user: int = Field(
        100,
        ge=0,
        le=10**5,
        description="How many WebSockets one user may have open, and ten times as many from one address. 0 "
        "is no limit.",
    )
    login_attempts: int = Field(
        10,
        ge=0,
        le=10**6,
        description="Login attempts in ten minutes from one address to one name; ten times as many to one "
        "name from all addresses, and from one address to all names. 0 is no limit.",
    )
    passwords_at_once: int = Field(
        2, ge=1, le=64, description="How many passwords are hashed at a time; each takes 64 MiB."
    )
    paper_commission_per_order: Decimal = Field(
        Decimal(0), ge=0, lt=10**6, description="The commission of the paper broker for each order."
    )
    paper_commission_per_share: Decimal = Field(
        Decimal(0), ge=0, lt=10**6, description="The commission of the paper broker for each share."
    )
    paper_slippage: Decimal = Field(
        Decimal(0),
        ge=0,
        lt=1,
        description="How much worse than the quote the paper broker's price is, as a fraction.",
    )
    paper_shares_per_tick: Decimal | None = Field(
        None,
        gt=0,
        description="How many shares of an order one tick fills at the paper broker; no limit if empty.",
    )
    quote_max_age_hours: Decimal | None = Field(
        None,
        gt=0,
        lt=10**6,
        description="How old the quote for a MARKET order may be, in hours; no limit if empty.",
    )
    broker_timeout_seconds: float = Field(
        5,
        gt=0,
        le=60,
        description="How many seconds to wait for a broker's answer; after that the order is looked up.",
    )
    worker: bool = Field(
        True, description="Whether `serve` also runs the jobs, such as scheduled rebalances."
    )
    drift_check_minutes: Decimal = Field(
        Decimal(15),
        gt=0,
        lt=10**6,
        description="How often, in minutes, portfolios with a driftBand are checked for drift.",
    )
    optimiser_workers: int = Field(
        1, ge=1, le=64, description="Processes that compute target weights, 200 MB each, started when needed."
    )
    optimiser_timeout_seconds: float = Field(
        10,
        gt=0,
        le=300,
        description="How many seconds to wait for the optimiser; after that its process is killed.",
    )
    listen_database_url: SecretStr | None = Field(
        None,
        description="The same database without a connection pooler in between, for listening to the "
        "notifications of other processes; DATABASE_URL if left out.",
    )
    notifier_url: SecretStr | None = Field(
        None,
        description="The NATS server that carries notifications between processes, `nats://host:4222` or "
        "`tls://host:4222`, with `user:password@` or `token@`; if empty, PostgreSQL carries them.",
    )
    stream_events_per_second: float = Field(
        5, gt=0, le=1000, description="The most prices or values a second that one subscription gets."
    )
    sealing_keys: SecretStr | None = Field(
        None,
        description="Keys that encrypt stored secrets, `kid:base64` separated by commas; the first one "
        "encrypts. Generated in the data directory if left out.",
    )
    send_notifications: bool = Field(
        True, description="Whether this process sends notifications; they wait while no process does."
    )
    notifications_per_hour: int = Field(
        60,
        ge=1,
        le=10**6,
        description="How many alerts a user is sent in an hour; the rest come as a digest.",
    )
    allow_private_destinations: bool = Field(
        False,
        description="Whether webhooks may go to private addresses and without TLS, and apprise services to "
        "hosts of your own.",
    )
    smtp_host: str | None = Field(
        None, description="The SMTP server that sends e-mails; none are sent if empty."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="The port of the SMTP server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection to the SMTP server is encrypted: `starttls`, `tls` or `none`.",
    )
    smtp_username: str | None = Field(
        None, description="The login name at the SMTP server, if it requires one."
    )
    smtp_password: SecretStr | None = Field(None, description="The password of that login.")
    smtp_sender: str = Field(
        "graphfolio@localhost", description="The sender of e-mails: an address, or `Name <address>`."
    )
    feed: Literal["", "none", "replay"] = Field(
        "",
        description="Where prices come from: `replay` (the last two years of stored daily closes, as if they "
        "were of now) or `none`; if left out, `demo` replays and `serve` does not.",
    )
    replay_speed: float = Field(
        1, gt=0, le=100, description="How many days of prices a second the feed `replay` plays."
    )
    time_zone: str = Field(
        DEFAULT, description="The IANA time zone of new accounts and users; each can choose another one."
    )
    alert_retention_days: int = Field(365, ge=1, le=36500, description="How many days alerts are kept.")
    log_format: Literal["", "console", "json"] = Field(
        "",
        description="How the log looks: `console` for people or `json` for programs; if left out, `console` "
        "on a terminal and `json` elsewhere.",
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info",
        description="The least severe events that are logged: `debug`, `info`, `warning`, `error` or "
        "`critical`.",
    )
    loop_warning_ms: int = Field(
        250,
        ge=10,
        le=60_000,
        description="For how many milliseconds the event loop may be blocked until a warning says by what.",
    )
    demo_password: SecretStr | None = Field(
        None, description="The password of the demo user; generated and printed once if left out."
    )

    @property
    def listen_url(self) -> str | None:
        """Return the URL to listen for notifications at, or None for that of the database."""
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

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        try:
            return checked_time_zone(value)
        except InvalidInput as refused:
            raise PydanticCustomError("time_zone", refused.message) from None

    @field_validator("notifier_url")
    @classmethod
    def _nats_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_nats_url(value.get_secret_value()):
            raise PydanticCustomError(
                "nats_url", "Should be nats://host:4222 or tls://host:4222, with user:password@ or token@"
            )
        return value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [origin.strip() for origin in value.split(",") if origin.strip()]
            if isinstance(value, str)
            else value
        )

    @classmethod
    def settings_names(cls) -> dict[str, str]:
        """Return the environment variable of each field."""
        return {
            name: "DATABASE_URL" if name == "database_url" else f"GRAPHFOLIO_{name.upper()}"
            for name in cls.model_fields
        }


def _is_nats_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("nats", "tls")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.path.strip("/") or parts.query or parts.fragment)
        )
    except ValueError:
        # The port or the address is malformed.
        return False
