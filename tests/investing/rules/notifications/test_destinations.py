"""What may be a destination's address, and what is shown of it."""

from pathlib import Path

import pytest

from db.vocabulary import DestinationKind
from investing.rules.errors import AddressRefused, InvalidInput
from investing.rules.notifications.destinations import PUBLIC_SERVICES, checked_address, hint_of

EMAIL, WEBHOOK, APPRISE = DestinationKind.EMAIL, DestinationKind.WEBHOOK, DestinationKind.APPRISE


@pytest.mark.parametrize(
    ("kind", "address", "hint"),
    [
        (EMAIL, "holder@example.org", "h…@example.org"),
        (WEBHOOK, "https://example.org/secret?token=1", "example.org"),
        (WEBHOOK, "https://example.org:8443/", "example.org"),
        (WEBHOOK, "https://93.184.215.14/", "93.184.215.14"),
        (WEBHOOK, "https://[2606:4700:4700::1111]/", "2606:4700:4700::1111"),
        (APPRISE, "slack://TokenA/TokenB/TokenC", "slack"),
        (APPRISE, "tgram://123:secret/456", "tgram"),
    ],
)
def test_what_may_be(kind: DestinationKind, address: str, hint: str) -> None:
    assert checked_address(kind, f" {address} ", allow_private=False) == address
    assert hint_of(kind, address) == hint


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        *(
            (EMAIL, text)
            for text in ("", "holder", "a@b@c.de", "a@b.de\r\nBcc: c@d.de", "x" * 3000 + "@b.de")
        ),
        *((WEBHOOK, text) for text in ("", "example.org", "https://", "https://[::1", "https://a b.de/")),
        *(
            (WEBHOOK, text)
            for text in ("https://u:p@example.org/", "https://u@example.org/", "https://ä.de/")
        ),
        *((WEBHOOK, text) for text in ("https://example.org:99999/", "https://./")),
        *((APPRISE, text) for text in ("", "slack", "slack:/x", "SLACK://x y")),
    ],
)
def test_what_makes_no_sense(kind: DestinationKind, address: str) -> None:
    with pytest.raises(InvalidInput) as domain_error:
        checked_address(kind, address, allow_private=True)
    assert domain_error.value.field == ("address",)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        *((WEBHOOK, f"https://{host}/") for host in ("127.0.0.1", "10.1", "2130706433", "0x7f.1", "[::1]")),
        *((WEBHOOK, f"https://{host}/") for host in ("[::ffff:10.0.0.1]", "169.254.169.254", "localhost")),
        *((WEBHOOK, f"https://{host}/") for host in ("db", "db.internal", "printer.local", "x.localhost.")),
        *((WEBHOOK, text) for text in ("http://example.org/", "ftp://example.org/", "file:///etc/passwd")),
        *((APPRISE, f"{schema}://x") for schema in ("json", "mailto", "file", "syslog", "windows", "vapid")),
        *((APPRISE, f"{schema}://example.org/x") for schema in ("gotify", "ntfys", "matrix", "https")),
        # It would read a file of the server's and send it.
        (APPRISE, "slack://a/b/c?template=/etc/passwd"),
        (APPRISE, "slack://a/b/c/#channel"),
    ],
)
def test_what_is_refused(kind: DestinationKind, address: str) -> None:
    with pytest.raises((AddressRefused, InvalidInput)):
        checked_address(kind, address, allow_private=False)


def test_where_the_operator_lets_them_be_anywhere() -> None:
    for address in ("http://127.0.0.1:9/", "http://localhost/", "https://10.0.0.1/"):
        assert checked_address(WEBHOOK, address, allow_private=True) == address
    assert checked_address(APPRISE, "gotify://localhost/x", allow_private=True) == "gotify://localhost/x"
    with pytest.raises(AddressRefused):
        checked_address(APPRISE, "json://localhost/", allow_private=True)


def test_the_services_are_those_of_the_documentation() -> None:
    text = (Path(__file__).resolve().parents[4] / "docs" / "notifications.md").read_text()
    for schema in PUBLIC_SERVICES:
        assert f"`{schema}://`" in text
