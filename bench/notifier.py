"""What it costs to tell other processes: PostgreSQL's NOTIFY and a NATS server, one after the other.

    python -m bench.notifier [RINGS_A_SECOND] [SECONDS] [LISTENERS] [ROUNDS]

So many lines listen, all of them in this process, and four of them say one ring at a time: first at that
pace, for what a ring costs and how long it takes to be heard, then as fast as each is answered. Everybody has
to hear every ring. The figure to look at is what PostgreSQL uses, of which there is only one. How many go in
a second is limited by this process, which hears for everybody.
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

SAYERS = 4
BURST_SECONDS = 3


class Ears:
    """Everybody who listens: how many rings came, and how long each took to the first of them."""

    def __init__(self, number: int) -> None:
        self.said: dict[Subject, float] = {}
        self.counts = [0] * number
        self.waits: list[float] = []

    def ear(self, place: int) -> Callable[[Collection[Subject]], None]:
        """What one listener does with what it hears."""

        def received(subjects: Collection[Subject]) -> None:
            known = [subject for subject in subjects if subject in self.said]
            self.counts[place] += len(known)
            if place == 0:
                self.waits += [time.perf_counter() - self.said[subject] for subject in known]

        return received

    async def all_heard(self) -> bool:
        """Whether everything was heard by everybody."""
        return self.counts == [len(self.said)] * len(self.counts)


async def main(rate: int, seconds: int, listeners: int, rounds: int) -> int:
    """Prints the figures."""
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
    ears = Ears(listeners)
    transports = [transport() for _ in range(listeners)]
    sayers = transports[:SAYERS]
    tasks = [asyncio.create_task(one.listen(ears.ear(at))) for at, one in enumerate(transports)]
    await asyncio.sleep(1)
    with _spent(postmaster, server, rate * seconds):
        await asyncio.gather(*(_pace(one, ears, rate / len(sayers), seconds) for one in sayers))
        await until(ears.all_heard, 30)
    waits = sorted(ears.waits)
    p50, p99 = (1000 * waits[int(len(waits) * part)] for part in (0.5, 0.99))
    print(f"  heard after {p50:.2f} ms (median), {p99:.2f} ms (99 %)")
    before, begun = len(ears.said), time.perf_counter()
    await asyncio.gather(*(_burst(one, ears) for one in sayers))
    await until(ears.all_heard, 60)
    print(f"  at the most {(len(ears.said) - before) / (time.perf_counter() - begun):,.0f} messages a second")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pace(transport: Transport, ears: Ears, rate: float, seconds: int) -> None:
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await _publish(transport, ears)


async def _burst(transport: Transport, ears: Ears) -> None:
    end = time.perf_counter() + BURST_SECONDS
    while time.perf_counter() < end:
        await _publish(transport, ears)


async def _publish(transport: Transport, ears: Ears) -> None:
    subject = (uuid7(), Topic.ALERTS)
    ears.said[subject] = time.perf_counter()
    await transport.publish([subject])


@contextmanager
def _spent(postmaster: int, server: int, rings: int) -> Iterator[None]:
    def used() -> Sequence[float]:
        database = sum(map(cpu_of, (postmaster, *children(postmaster))))
        return database, cpu_of(server), time.process_time()

    before = used()
    yield
    database, nats, here = (1e6 * (now - then) / rings for now, then in zip(used(), before, strict=True))
    print(f"  CPU of a message: PostgreSQL {database:.0f} us, NATS {nats:.0f} us, this process {here:.0f} us")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(given + [500, 10, 8, 2][len(given) :]))))
