"""Validation of a destination's address, and what is shown of it."""

import re
from urllib.parse import urlsplit

from db.vocabulary import DestinationKind
from investing.rules.auth.registration import email, is_printable
from investing.rules.errors import AddressRefused, InvalidInput
from investing.rules.notifications.addresses import is_public, literal

LONGEST_ADDRESS = 2_000
MOST_DESTINATIONS = 20
CODES_PER_HOUR = 5
CODES_PER_DAY = 20
"""For one owner over all destinations: the most codes that somebody who never asked for one can receive."""
CODE_TRIES = 5
CODE_HOURS = 24
CODE_LENGTH = 8
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No letter that is easily mistaken for another; a code has 40 bits."""

PUBLIC_SERVICES = frozenset(
    {
        "bulksms", "clicksend", "discord", "gchat", "msgbird", "opsgenie", "pagerduty", "pbul", "pover",
        "slack", "tgram", "threema", "twilio", "vonage", "wxteams",
    }
)  # fmt: skip
"""Schemas of apprise whose messages go only to that service's own hosts, whatever else the URL says."""

OWN_SERVICES = frozenset(
    {"gotify", "gotifys", "matrix", "matrixs", "mmost", "mmosts", "ntfy", "ntfys", "rocket", "rockets"}
)
"""Schemas whose URL names a host: allowed only if the operator permits private destinations."""

_SCHEMA = re.compile(r"([a-z][a-z0-9]*)://\S+", re.ASCII)
_FIELD = ("address",)


def checked_address(kind: DestinationKind, address: str, *, allow_private: bool) -> str:
    """Return the address without surrounding space.

    `allow_private` permits addresses on a private network, and webhooks without TLS. A host name is resolved
    only when something is sent, and its address is judged then. Raise InvalidInput if the form is wrong,
    AddressRefused if nothing may be sent there.
    """
    address = address.strip()
    if not 1 <= len(address) <= LONGEST_ADDRESS or not is_printable(address):
        raise InvalidInput(f"An address has 1 to {LONGEST_ADDRESS} printable characters.", _FIELD)
    match kind:
        case DestinationKind.EMAIL:
            return _checked_email(address)
        case DestinationKind.WEBHOOK:
            _check_url(address, allow_private)
        case DestinationKind.APPRISE:
            _check_service(address, allow_private)
    return address


def hint_of(kind: DestinationKind, address: str) -> str:
    """Return what is shown of an address: enough to tell two apart, and nothing that gives access."""
    if kind is DestinationKind.EMAIL:
        local, _, domain = address.partition("@")
        return f"{local[:1]}…@{domain}"
    if kind is DestinationKind.WEBHOOK:
        return urlsplit(address).hostname or ""
    return address.partition("://")[0]


def _checked_email(address: str) -> str:
    try:
        return email(address)
    except InvalidInput as domain_error:
        raise InvalidInput(domain_error.message, _FIELD) from None


def _check_url(address: str, allow_private: bool) -> None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or not address.isascii() or " " in address or not host.strip("."):
        raise InvalidInput("A webhook's address is a URL such as https://example.org/hook.", _FIELD)
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("A webhook's address has no user name and no password.", _FIELD)
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allow_private):
        raise AddressRefused("A webhook's address starts with https://.", _FIELD)
    at = literal(host)
    if not allow_private and (_is_local(host) if at is None else not is_public(at)):
        raise AddressRefused("Nothing is sent to a private or local address.", _FIELD)


def _is_local(host: str) -> bool:
    name = host.rstrip(".").lower()
    return "." not in name or name.endswith((".localhost", ".local", ".internal", ".home.arpa"))


def _check_service(address: str, allow_private: bool) -> None:
    found = _SCHEMA.fullmatch(address)
    if found is None:
        raise InvalidInput("Give the service's URL in the form of apprise: tgram://token/chat.", _FIELD)
    allowed = PUBLIC_SERVICES | OWN_SERVICES if allow_private else PUBLIC_SERVICES
    if found[1] not in allowed:
        names = ", ".join(sorted(allowed))
        raise AddressRefused(f"The services that can be used are {names}.", _FIELD)
    # Parameters can name a template file on the server, or turn redirects on again; none is needed.
    if "?" in address or "#" in address:
        raise AddressRefused("A service's URL has no parameters here.", _FIELD)
