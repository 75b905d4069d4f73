"""Measure what it costs to notify other processes, with PostgreSQL's NOTIFY and with a NATS server in turn.

    python -m bench.notifier [MESSAGES_A_SECOND] [SECONDS] [LISTENERS] [ROUNDS]

All transports listen in this process, and four of them publish one message at a time: first at the given
rate, to see what a message costs and how long it takes to arrive, then as fast as each is answered. Every
listener must receive every message. The figure that matters is the CPU time of PostgreSQL, of which there is
only one. The messages a second are limited by this process, which receives for all listeners.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.trades import cpu as cpu_of
from db.ids import uuid7
from db.notifier.subjects import Subject
from db.notifier.transport import PostgresTransport
from db.schema import upgrade
from db.server import database
from db.sessions import open_sessions
from db.vocabulary import Topic
from investing.nats_transport import NatsTransport
from investing.notifier import Transport
from tests.faults.cluster import children
from tests.faults.waiting import until
from tests.nats import nats

PUBLISHERS = 4
BURST_SECONDS = 3


class Received:
    """What the listeners have received, and how long each message took to the first of them."""

    def __init__(self, number: int) -> None:
        self.published: dict[Subject, float] = {}
        self.counts = [0] * number
        self.waits: list[float] = []

    def listener(self, place: int) -> Callable[[Collection[Subject]], None]:
        """Return the function that one listener passes the messages to that it receives."""

        def note(subjects: Collection[Subject]) -> None:
            known = [subject for subject in subjects if subject in self.published]
            self.counts[place] += len(known)
            if place == 0:
                self.waits += [time.perf_counter() - self.published[subject] for subject in known]

        return note

    async def is_complete(self) -> bool:
        """Return whether every listener has received everything."""
        return self.counts == [len(self.published)] * len(self.counts)


async def main(rate: int, seconds: int, listeners: int, rounds: int) -> int:
    """Print the figures and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="graphfolio-bench-") as folder:
        with database(None, Path(folder)) as found, nats() as server:
            await asyncio.to_thread(upgrade, found.owner_url)
            postmaster = next(pid for pid in children(os.getpid()) if pid != server.pid)
            async with open_sessions(found.url) as sessions:
                for _ in range(rounds):
                    for name, transport in (
                        ("NOTIFY", lambda: PostgresTransport(sessions, found.url)),
                        ("NATS", lambda: NatsTransport(server.url())),
                    ):
                        print(f"{name}, {listeners} listeners, {rate} messages a second:")
                        await _measure(transport, rate, seconds, listeners, postmaster, server.pid)
    print(f"the machine's load was {os.getloadavg()[0]:.1f}")
    return 0


async def _measure(
    transport: Callable[[], Transport], rate: int, seconds: int, listeners: int, postmaster: int, server: int
) -> None:
    received = Received(listeners)
    transports = [transport() for _ in range(listeners)]
    publishers = transports[:PUBLISHERS]
    tasks = [
        asyncio.create_task(one.listen(received.listener(at), lambda: None))
        for at, one in enumerate(transports)
    ]
    await asyncio.sleep(1)
    with _spent(postmaster, server, rate * seconds):
        await asyncio.gather(*(_pace(one, received, rate / len(publishers), seconds) for one in publishers))
        await until(received.is_complete, 30)
    waits = sorted(received.waits)
    p50, p99 = (1000 * waits[int(len(waits) * part)] for part in (0.5, 0.99))
    print(f"  received after {p50:.2f} ms (median), {p99:.2f} ms (99 %)")
    before, begun = len(received.published), time.perf_counter()
    await asyncio.gather(*(_burst(one, received) for one in publishers))
    await until(received.is_complete, 60)
    rate_at_most = (len(received.published) - before) / (time.perf_counter() - begun)
    print(f"  at most {rate_at_most:,.0f} messages a second")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pace(transport: Transport, received: Received, rate: float, seconds: int) -> None:
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await _publish(transport, received)


async def _burst(transport: Transport, received: Received) -> None:
    end = time.perf_counter() + BURST_SECONDS
    while time.perf_counter() < end:
        await _publish(transport, received)


async def _publish(transport: Transport, received: Received) -> None:
    subject = (uuid7(), Topic.ALERTS)
    received.published[subject] = time.perf_counter()
    await transport.publish([subject])


@contextmanager
def _spent(postmaster: int, server: int, messages: int) -> Iterator[None]:
    def used() -> Sequence[float]:
        database = sum(map(cpu_of, (postmaster, *children(postmaster))))
        return database, cpu_of(server), time.process_time()

    before = used()
    yield
    database, nats, here = (1e6 * (now - then) / messages for now, then in zip(used(), before, strict=True))
    print(f"  CPU of a message: PostgreSQL {database:.0f} us, NATS {nats:.0f} us, this process {here:.0f} us")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(given + [500, 10, 8, 2][len(given) :]))))
