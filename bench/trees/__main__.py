"""Measure what a user's whole tree costs, beside one hand-written statement and other servers.

    python3 run.py bench [--scale 0.05] [--shapes T,S,M] [--targets limit,graphfolio] [--rounds 5] [--write]

`bench/README.md` says how it measures, `docs/benchmarks.md` what it found.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from bench.trees import usage
from bench.trees.database import Filled, cache_folder, filled_database
from bench.trees.load import WrongAnswer
from bench.trees.measuring import Bench, as_json
from bench.trees.peers import LABELS, NoPeers, Peers, install
from bench.trees.plan import Plan
from bench.trees.report import Figures, Setting, report, write
from bench.trees.requests import Requests, read_corpus
from bench.trees.shapes import BY_KEY, SHAPES, growth
from bench.trees.targets import Target, commands, has_compiler, new_ring, running, until_there
from bench.trees.views import create_views
from investing.auth.keys import KeyRing

KEYS = ("limit", "graphfolio", "resolvers", *LABELS)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 1 if any answer was wrong."""
    chosen = _parsed(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cores = sorted(os.sched_getaffinity(0))
    # PostgreSQL and the load, which is this process, share what is not the server's.
    server, rest = ({cores[0]}, {cores[1]}) if len(cores) > 1 else (set(cores), set(cores))
    usage.pin(rest, os.getpid())
    plan, peers = Plan(chosen.scale), _peers(chosen)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graphfolio-bench-")))
        database = stack.enter_context(filled_database(chosen.cache, plan, _told))
        ring = new_ring()
        targets = [
            stack.enter_context(running(command, server, folder))
            for command in commands(database, ring, peers, folder)
            if command.key in chosen.targets
        ]
        loop = uvicorn.Config("", loop="auto").get_loop_factory()
        with asyncio.Runner(loop_factory=loop) as runner:
            figures = runner.run(_run(chosen, plan, database, ring, targets, folder))
    setting = Setting(plan, len(cores), peers, has_compiler(), chosen.rounds, chosen.seconds)
    print(report(figures, setting), flush=True)
    if chosen.json:
        chosen.json.write_text(as_json(figures.bench))
    if chosen.write:
        write(figures, setting)
    return int(any(target.failures for target in targets))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py bench", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--scale", type=float, default=1, help="how much of the full data; 0.05 for trying")
    parser.add_argument("--shapes", type=_listed, default=[s.key for s in SHAPES], help="such as T,S,M")
    parser.add_argument("--targets", type=_listed, default=list(KEYS), help=f"of {','.join(KEYS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured")
    parser.add_argument("--seconds", type=float, default=1, help="how long each measurement takes")
    parser.add_argument("--brief", action="store_true", help="neither growth nor a second user")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where data and peers are kept")
    parser.add_argument("--json", type=Path, help="a file for every figure")
    parser.add_argument("--write", action="store_true", help="put table and plot into docs/")
    chosen = parser.parse_args(arguments)
    for name, known in (("shapes", [s.key for s in SHAPES]), ("targets", list(KEYS))):
        unknown = [each for each in getattr(chosen, name) if each not in known]
        if unknown:
            parser.error(f"--{name}: {', '.join(unknown)} is none of {', '.join(known)}")
    if not 0 < chosen.scale <= 1 or chosen.rounds < 1 or chosen.seconds <= 0:
        parser.error("--scale is above 0 and at most 1, --rounds at least 1, --seconds above 0")
    # Everything is a multiple of the limit, and compared with its answers.
    chosen.targets = ["limit", *(each for each in chosen.targets if each != "limit")]
    return chosen


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _told(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}"[:110], end="", file=sys.stderr, flush=True)


def _peers(chosen: argparse.Namespace) -> Peers | None:
    if not set(chosen.targets) & set(LABELS):
        return None
    try:
        return install(chosen.cache, _told)
    except NoPeers as reason:
        print(f"Without PostGraphile, Mercurius and Yoga: {reason}.", file=sys.stderr)
        return None


async def _run(
    chosen: argparse.Namespace,
    plan: Plan,
    database: Filled,
    ring: KeyRing,
    targets: list[Target],
    folder: Path,
) -> Figures:
    began = time.monotonic()
    await create_views(database)
    corpus = await read_corpus(database, plan)
    requests = Requests(corpus, ring)
    for target in list(targets):
        try:
            await until_there(target, folder, requests.token(corpus.people["ordinary"][0]))
        except WrongAnswer as wrong:
            if not target.is_peer:
                raise
            print(f"Without {target.label}: {wrong}", file=sys.stderr)
            targets.remove(target)
    shapes = [shape for shape in SHAPES if shape.key in chosen.shapes]
    bench = Bench(targets, requests, database.pid, chosen.seconds, _told)
    memory = {target.key: [usage.memory(target.pid)] for target in targets}
    await bench.prepare(shapes)
    loads = []
    for number in range(chosen.rounds):
        await bench.round(number, shapes)
        loads.append(os.getloadavg()[0])
        print(f"\nround {number + 1} of {chosen.rounds} is done", file=sys.stderr, flush=True)
    figures = Figures(bench, shapes, memory, loads, corpus.postgres)
    for target in targets:
        memory[target.key].append(usage.memory(target.pid))
    if not chosen.brief:
        await _grow(figures, plan)
        await _beside(figures)
    for target in targets:
        memory[target.key].append(usage.memory(target.pid))
    figures.minutes = (time.monotonic() - began) / 60
    return figures


async def _grow(figures: Figures, plan: Plan) -> None:
    """Measure trees of one shape and ever more positions, one request at a time."""
    shapes = growth(plan.sizes)
    users = [plan.ordinary[0], *plan.growing]
    figures.growth = [(user.position_count, shape) for user, shape in zip(users, shapes, strict=True)]
    await figures.bench.prepare(shapes)
    await figures.bench.round(0, shapes)


async def _beside(figures: Figures) -> None:
    """Measure how long a second user waits while the largest tree of the table is read."""
    bench = figures.bench
    large, small = BY_KEY["G"], BY_KEY["S"]
    for target in bench.targets:
        if not target.failures.keys() & {"G", "S"}:
            try:
                figures.waits[target.key] = await bench.beside(target, large, small)
            except (WrongAnswer, OSError, TimeoutError) as error:
                target.failures["beside"] = str(error)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except WrongAnswer as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        sys.exit(1)
