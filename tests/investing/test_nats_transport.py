"""What only a NATS connection can meet: a server that falls silent, passwords, and TLS or the lack of it."""

import asyncio
import logging
from collections.abc import Collection
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from db.ids import uuid7
from db.notifier.subjects import Subject
from db.sessions import Sessions
from db.vocabulary import Topic
from investing import nats_transport
from investing.nats_transport import NatsTransport
from investing.notifier import Notifier
from runtime.services import transport_of
from settings import Settings
from tests.conftest import on_one_server
from tests.faults.waiting import until
from tests.investing.notifications.certificates import certified
from tests.nats import nats
from tests.waiting import PATIENCE

SECRET = "p@ss/1:2"
LOGIN = "graphfolio:p%40ss%2F1%3A2@"
SUBJECT = (uuid7(), Topic.ALERTS)


async def _hears(line: NatsTransport) -> None:
    """Wait until the transport receives its own notifications."""
    heard: list[Subject] = []
    listens = asyncio.create_task(line.listen(heard.extend))

    async def told() -> bool:
        if listens.done():
            listens.result()
        await line.publish([SUBJECT])
        return SUBJECT in heard

    try:
        await until(told, PATIENCE)
    finally:
        listens.cancel()
        await asyncio.gather(listens, return_exceptions=True)


def _deaf(subjects: Collection[Subject]) -> None:
    pass


@pytest.mark.parametrize("times", [0, 4])
async def test_a_server_that_falls_silent_is_given_up(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_transport, "_ALIVE_SECONDS", 0.2)
    monkeypatch.setattr(nats_transport, "_CLOSE_SECONDS", 0.2)
    with nats() as server:
        line = NatsTransport(server.url())
        listens = asyncio.create_task(line.listen(_deaf))

        async def connected() -> bool:
            return line._connection is not None

        await until(connected, PATIENCE)
        server.freeze(True)
        # More than the connection takes while nobody reads: saying it neither waits for ever nor raises.
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                await line.publish([SUBJECT] * 50_000)
        with pytest.raises(ConnectionError, match=r"^nats://127\.0\.0\.1:\d+: nats: .*timeout"):
            await asyncio.wait_for(listens, PATIENCE)
        assert line._connection is None
        server.freeze(False)
        await _hears(line)


@pytest.mark.parametrize(
    ("options", "login"),
    [
        (["--user", "graphfolio", "--pass", SECRET], LOGIN),
        (["--auth", SECRET], "p%40ss%2F1%3A2@"),
    ],
)
async def test_a_login_in_the_address(options: list[str], login: str) -> None:
    with nats(*options) as server:
        await _hears(NatsTransport(server.url(login)))
        for wrong in ("", "graphfolio:wrong@", "wrong@"):
            with pytest.raises(ConnectionError) as refused:
                await NatsTransport(server.url(wrong)).listen(_deaf)
            assert str(refused.value) == f"{server.url()}: nats: 'Authorization Violation'"


@on_one_server
async def test_an_outage_is_told_of_once_and_without_the_password(
    sessions: Sessions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("investing.notifier._AGAIN_SECONDS", 0.5)
    caplog.set_level(logging.DEBUG)
    log = tmp_path / "log"
    with nats("--user", "graphfolio", "--pass", "another", "--log", str(log)) as server:
        settings = Settings(_env_file=None, notifier_url=server.url(LOGIN))
        notifier = Notifier()
        runs = asyncio.create_task(notifier.run(transport_of(settings, sessions, ""), sessions))

        async def refused() -> bool:
            notifier.notify(*SUBJECT)
            return log.read_text().count("authentication error") >= 3

        await until(refused, PATIENCE)
        runs.cancel()
        await asyncio.gather(runs, return_exceptions=True)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        "Listening for changes does not work: "
        f"ConnectionError: {server.url()}: nats: 'Authorization Violation'"
    ]
    for text in (SECRET, "p%40ss"):
        assert text not in caplog.text


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, chain = certified(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setattr(nats_transport, "_CLOSE_SECONDS", 0.2)
    login = ["--user", "graphfolio", "--pass", SECRET]
    with nats("--tls", "--tlscert", str(chain), "--tlskey", str(chain), *login) as server:
        await _hears(NatsTransport(f"tls://{LOGIN}localhost:{server.port}"))
        with pytest.raises(ConnectionError, match=r"certificate is not valid for '127\.0\.0\.1'"):
            await NatsTransport(f"tls://{LOGIN}127.0.0.1:{server.port}").listen(_deaf)


@pytest.mark.parametrize("login", [LOGIN, "token@", ""])
async def test_nothing_is_sent_in_the_clear_where_tls_is_wanted(login: str) -> None:
    sent = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id": "in between", "max_payload": 1048576}\r\n')
        while data := await reader.read(1000):
            sent.extend(data)
            writer.write(b"PONG\r\n")
        writer.close()

    between = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = between.sockets[0].getsockname()[1]
    with pytest.raises(ConnectionError, match=f"^tls://127.0.0.1:{port}: the server has no TLS$"):
        await asyncio.wait_for(NatsTransport(f"tls://{login}127.0.0.1:{port}").listen(_deaf), PATIENCE)
    between.close()
    assert b"pass" not in sent
    assert b"token" not in sent
    assert b"SUB" not in sent


@pytest.mark.parametrize(
    "url",
    [
        "http://u:secret@host:4222",
        "host:4222",
        "nats://",
        "nats://u:se/cret@host:4222",
        "nats://u:secret@host:0",
        "nats://u:secret@[host:4222",
        "nats://u:secret@host/subject",
        "tls://u:secret@a:1,tls://b:1",
    ],
)
def test_an_address_that_cannot_be_is_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, notifier_url=url)
    (problem,) = refused.value.errors()
    assert problem["loc"] == ("notifier_url",)
    assert problem["msg"] == "Should be nats://host:4222 or tls://host:4222, with user:password@ or token@"
    for text in ("secret", "se/cret"):
        assert text not in str(refused.value)


@pytest.mark.parametrize("url", ["", "nats://host", "tls://user:password@[::1]:4222/", "nats://token@host:1"])
def test_addresses_that_can_be(url: str) -> None:
    found = Settings(_env_file=None, notifier_url=url).notifier_url
    assert (found.get_secret_value() if found else "") == url


async def test_it_ends_when_it_is_told_to() -> None:
    """Also in the very turn in which the server's answer has come, where waiting for it swallows the end."""
    with nats() as server:
        line = NatsTransport(server.url())
        listens = asyncio.create_task(line.listen(_deaf))
        await until(partial(_is_connected, line), PATIENCE)
        assert line._connection is not None
        client, _ = line._connection

        async def say_for_ever() -> None:
            while True:
                await line.publish([SUBJECT])
                await asyncio.sleep(60)

        says = asyncio.create_task(say_for_ever())
        for is_awaited in (True, False):
            while bool(client._pongs) is not is_awaited:  # noqa: ASYNC110
                await asyncio.sleep(0)
        says.cancel()
        listens.cancel()
        async with asyncio.timeout(PATIENCE):
            ended = await asyncio.gather(says, listens, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError] * 2


async def _is_connected(line: NatsTransport) -> bool:
    return line._connection is not None
