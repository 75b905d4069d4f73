"""Make what sends notifications from this process, from the settings."""

from functools import partial

from db.sessions import Sessions
from investing.auth.encryption import SecretBox
from investing.global_ids import encode_global_id
from investing.notifications.channels.smtp import SmtpConfig
from investing.notifications.sender import Sender, channels_of
from investing.rules.notifications.deliveries import DeliveryPolicy
from settings import Settings


def secret_box_of(settings: Settings) -> SecretBox:
    """Return what encrypts stored secrets here, by the settings."""
    keys = settings.sealing_keys
    return SecretBox.of(None if keys is None else keys.get_secret_value(), settings.data_dir)


def smtp_config_of(settings: Settings) -> SmtpConfig | None:
    """Return the SMTP server, by the settings; None if there is none."""
    if settings.smtp_host is None:
        return None
    password = settings.smtp_password
    return SmtpConfig(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
    )


def sender_of(settings: Settings, sessions: Sessions, secret_box: SecretBox) -> Sender:
    """Return what sends notifications here, by the settings.

    Notifications refer to alerts by the ids of the API.
    """
    pace = DeliveryPolicy(per_hour=settings.notifications_per_hour)
    channels = channels_of(
        smtp_config=smtp_config_of(settings),
        allow_private=settings.allow_private_destinations,
        timeout=pace.timeout,
    )
    return Sender(sessions, secret_box, channels, partial(encode_global_id, "Alert"), pace)
