"""The rounds: every target answers every shape in turn, and what that costs is noted."""

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.trees import usage
from bench.trees.load import Client, Request, WrongAnswer
from bench.trees.requests import Requests, compare
from bench.trees.shapes import Shape
from bench.trees.targets import Target

LOADED = 8
"""Connections at a time while CPU is measured, where a shape has so many."""
PAUSE_SECONDS = 0.02
"""How long the second user waits between two requests."""


@dataclass
class Cell:
    """What one target did with one shape over so many connections, in all rounds."""

    server: list[float] = field(default_factory=list)
    """Seconds of CPU for a request, by round; so is `database`."""
    database: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    """Seconds until each answer."""

    @property
    def totals(self) -> list[float]:
        """Return the seconds of CPU for a request, server and PostgreSQL together, by round."""
        return [sum(both) for both in zip(self.server, self.database, strict=True)]

    @property
    def total(self) -> float:
        """Return the median of them."""
        return statistics.median(self.totals)


def percentile(took: Sequence[float], part: float) -> float:
    """Return the time within which this part of the answers came."""
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@dataclass
class Bench:
    """The targets that run, and what was measured of them: `cells` by target, shape and connections."""

    targets: list[Target]
    requests: Requests
    postmaster: int
    seconds: float
    told: Callable[[str], None]
    limits: dict[str, Any] = field(default_factory=dict)
    cells: dict[tuple[str, str, int], Cell] = field(default_factory=dict)

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """Compare every answer with the limit's, and let every target get warm."""
        for target in self.targets:
            await self.requests.find_cursors(target)
        for shape in shapes:
            for target in self.targets:
                self.told(f"comparing {shape.key} of {target.label}")
                wanted = self.requests.of(shape, target)
                await self._try(shape, target, compare(shape, wanted, target, self.limits))
                if shape.key not in target.failures:
                    connections = max(shape.connections)
                    await self._try(shape, target, self._warm(target, wanted, connections))

    async def _try(self, shape: Shape, target: Target, work: Any) -> None:
        try:
            await work
        except (WrongAnswer, OSError, TimeoutError) as error:
            if target is self.targets[0]:
                # Everything is compared with the limit.
                raise
            target.failures[shape.key] = str(error) or type(error).__name__
            target.client.close()

    async def _warm(self, target: Target, wanted: list[Request], connections: int) -> None:
        await target.client.reopen(connections)
        # Compilers need more time than one measurement until they have seen enough.
        await target.client.load(wanted, connections, 2 * self.seconds)

    async def round(self, number: int, shapes: Sequence[Shape]) -> None:
        """Measure every shape of every target once, beginning with another target in each round."""
        self.requests.renew()
        first = number % len(self.targets)
        for shape in shapes:
            for target in self.targets[first:] + self.targets[:first]:
                for connections in shape.connections:
                    if shape.key not in target.failures:
                        self.told(
                            f"round {number + 1}: {shape.key} of {target.label}, {connections} at a time"
                        )
                        await self._try(shape, target, self._measure(shape, target, connections))

    async def _measure(self, shape: Shape, target: Target, connections: int) -> None:
        wanted = self.requests.of(shape, target)
        # What this process throws away is collected between measurements.
        gc.collect()
        await target.client.reopen(connections)
        before = self._cpu(target)
        took = await target.client.load(wanted, connections, self.seconds)
        after = self._cpu(target)
        cell = self.cells.setdefault((target.key, shape.key, connections), Cell())
        cell.server.append((after[0] - before[0]) / len(took))
        cell.database.append((after[1] - before[1]) / len(took))
        cell.took += took

    def _cpu(self, target: Target) -> tuple[float, float]:
        return usage.cpu(target.pid), usage.postgres_cpu(self.postmaster)

    def cell(self, target: Target, shape: Shape) -> Cell | None:
        """Return what CPU was measured with; None for what failed."""
        connections = LOADED if LOADED in shape.connections else shape.connections[0]
        return None if shape.key in target.failures else self.cells.get((target.key, shape.key, connections))

    async def beside(self, target: Target, large: Shape, small: Shape) -> list[float]:
        """Return how long a second user waits for small answers while the largest ones are made."""
        wanted, smalls = self.requests.of(large, target), self.requests.of(small, target)
        await target.client.reopen(1)
        waited: list[float] = []
        second = Client(target.port, target.client.known)
        reading = asyncio.create_task(target.client.load(wanted, 1, max(2.0, self.seconds)))
        try:
            number = 0
            while not reading.done():
                await asyncio.sleep(PAUSE_SECONDS)
                waited += await second.load([smalls[number % len(smalls)]], 1, 0)
                number += 1
        finally:
            second.close()
        await reading
        return waited


def as_json(bench: Bench) -> str:
    """Return every figure, in seconds, for whoever wants to look closer."""
    cells = [
        {
            "target": target,
            "shape": shape,
            "connections": connections,
            "server": cell.server,
            "database": cell.database,
            "requests": len(cell.took),
            "p50": percentile(cell.took, 0.5),
            "p99": percentile(cell.took, 0.99),
        }
        for (target, shape, connections), cell in bench.cells.items()
    ]
    failures = {target.label: target.failures for target in bench.targets if target.failures}
    return json.dumps({"measured": time.strftime("%Y-%m-%d"), "cells": cells, "failures": failures}, indent=1)
