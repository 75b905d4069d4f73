"""Nothing is sent to where only this server can reach: by no spelling, no name and no redirect."""

import ipaddress
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from db.vocabulary import DestinationKind
from investing.notifications.channels.network import PublicNetwork
from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.notifications.channels.webhook import WebhookChannel, new_signing_secret
from investing.rules.notifications.messages import of_confirmation
from tests.investing.notifications.certificates import certified
from tests.investing.notifications.post import AT_ONCE, Post
from tests.investing.notifications.receivers import HttpReceiver, http_receiver

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "localhost",
    "LOCALHOST.",
]
PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[2002:7f00:1::]",
    "[::ffff:a9fe:a9fe]",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("host", LOOPBACK + PRIVATE)
async def test_no_spelling_gets_there(receiver: HttpReceiver, host: str) -> None:
    """Also where the address was stored before, or its name led elsewhere then."""
    webhooks = WebhookChannel(allow_private=False, timeout=2)
    target = OpenedDestination(f"http://{host}:{receiver.port}/hook", [new_signing_secret()])
    with pytest.raises(Undelivered) as failure:
        await webhooks.send(target, of_confirmation("CODE"), uuid4())
    assert failure.value.reason in {
        "The receiver is at a private address.",
        "The receiver's name cannot be resolved.",
    }
    assert receiver.connections == 0


async def test_this_machines_own_name() -> None:
    """It resolves, to wherever the machine is, which is private or loopback."""
    name = socket.gethostname()
    where = {ipaddress.ip_address(found[4][0]) for found in socket.getaddrinfo(name, 80)}
    if any(address.is_global for address in where):
        pytest.skip("this machine is on the internet by its own name")
    with pytest.raises(Undelivered, match="private address"):
        await PublicNetwork(allow_private=False).connect_tcp(name, 80)


async def test_one_private_address_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads to both might be connected to at either."""

    def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("93.184.215.14", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(Undelivered, match="private address"):
        await PublicNetwork(allow_private=False).resolve("example.org", 80)


async def test_a_name_is_resolved_once(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was looked at, whatever the name says a moment later."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, port: int, **options: object) -> object:
        asked.append(host)
        if host != "rebinding.example":
            return real(host, port, **options)  # type: ignore[arg-type]
        return [(0, 0, 0, "", ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    webhooks = WebhookChannel(allow_private=True, timeout=2)
    target = OpenedDestination(f"http://rebinding.example:{receiver.port}/hook", [new_signing_secret()])
    await webhooks.send(target, of_confirmation("CODE"), uuid4())
    assert asked.count("rebinding.example") == 1
    assert receiver.requests[0].headers["host"] == f"rebinding.example:{receiver.port}"


async def test_a_stored_address_is_given_up(post: Post, receiver: HttpReceiver) -> None:
    """Made while the operator let it be: refused for good once that is over."""
    made = await post.confirmed("hook", receiver.url)
    post.allow_private = False
    await post.alert("hook")
    await post.send()
    assert await post.statuses() == [("DEAD", 1, "The receiver is at a private address.")]
    assert receiver.connections == 0
    assert (await post.destination(made.id))["failures"] == 1


async def test_a_redirect_leads_nowhere(post: Post, receiver: HttpReceiver) -> None:
    post.pace = replace(AT_ONCE, most_attempts=1)
    async with http_receiver() as private:
        receiver.answers = ["302 Found"] * 2
        receiver.extra = f"location: {private.url}\r\n"
        await post.confirmed("hook", receiver.url)
        service = f"gotify://127.0.0.1:{receiver.port}/atoken"
        await post.confirmed("phone", service, DestinationKind.APPRISE)
        await post.alert("hook", "phone")
        await post.send()
        assert (receiver.connections, private.connections) == (2, 0)
    assert [status for status, _, _ in await post.statuses()] == ["DEAD", "DEAD"]


async def test_tls_asks_for_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected to an address, the certificate is still held against the name in the URL."""
    authority, chain = certified(tmp_path, "hook.example")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain)
    real = socket.getaddrinfo

    def here(host: str, port: int, **options: object) -> object:
        return real("127.0.0.1", port, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    trusting = ssl.create_default_context(cafile=str(authority))
    async with http_receiver(ssl=serving) as receiver:
        for name, tls, arrives in (
            ("hook.example", trusting, True),
            ("other.example", trusting, False),
            ("hook.example", None, False),
        ):
            webhooks = WebhookChannel(allow_private=True, timeout=5, tls=tls)
            target = OpenedDestination(f"https://{name}:{receiver.port}/hook", [new_signing_secret()])
            if arrives:
                await webhooks.send(target, of_confirmation("CODE"), uuid4())
            else:
                with pytest.raises(Undelivered, match="could not be reached"):
                    await webhooks.send(target, of_confirmation("CODE"), uuid4())
        assert len(receiver.requests) == 1
