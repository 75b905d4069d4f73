"""What sends notifications from here, as the settings say."""

from functools import partial

from db.sessions import Sessions
from graph.ids import global_id
from investing.auth.sealing import Vault
from investing.notifications.carriers.relay import Relay
from investing.notifications.sender import Sender, carriers_of
from investing.rules.deliveries import Pace
from settings import Settings


def vault_of(settings: Settings) -> Vault:
    """What seals stored secrets here, by the settings."""
    keys = settings.sealing_keys
    return Vault.of(None if keys is None else keys.get_secret_value(), settings.data_dir)


def relay_of(settings: Settings) -> Relay | None:
    """The SMTP server, by the settings; None where there is none."""
    if settings.smtp_host is None:
        return None
    password = settings.smtp_password
    return Relay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
    )


def sender_of(settings: Settings, sessions: Sessions, vault: Vault) -> Sender:
    """What sends notifications here, by the settings. Alerts are told outside by the ids of the API."""
    pace = Pace(per_hour=settings.notifications_per_hour)
    carriers = carriers_of(
        relay=relay_of(settings),
        anywhere=settings.allow_private_destinations,
        patience=pace.patience,
    )
    return Sender(sessions, vault, carriers, partial(global_id, "Alert"), pace)
