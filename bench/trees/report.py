"""The figures as Markdown, and where they go."""

import datetime as dt
import platform
import statistics
from dataclasses import dataclass, field

from bench.trees.measuring import Bench, percentile
from bench.trees.peers import Peers
from bench.trees.plan import DEPTH, WIDE, Plan
from bench.trees.plot import plot
from bench.trees.shapes import DEEP_PAGE, Shape
from bench.trees.targets import ROOT, Target

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "trees.svg"
BEGIN, END = "<!-- bench trees: begin -->", "<!-- bench trees: end -->"


@dataclass
class Figures:
    """Everything that was measured; memory and waits are by the target's key."""

    bench: Bench
    shapes: list[Shape]
    memory: dict[str, list[tuple[float, float]]]
    """MiB in memory and the most so far: at the start, after the rounds, and at the end."""
    load: list[float]
    """The machine's, after each round."""
    postgres: str
    """The version of PostgreSQL."""
    growth: list[tuple[int, Shape]] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=dict)
    minutes: float = 0


@dataclass(frozen=True)
class Setting:
    """How it was measured."""

    plan: Plan
    cores: int
    peers: Peers | None
    has_compiler: bool
    rounds: int
    seconds: float


def report(figures: Figures, setting: Setting) -> str:
    """Return every table."""
    parts = [_introduction(figures, setting), _costs(figures, setting), _latencies(figures, setting)]
    if figures.growth:
        parts += [_growth(figures), _waits(figures)]
    parts.append(_memory(figures))
    parts += [_failures(figures)] if any(t.failures for t in figures.bench.targets) else []
    return "\n\n".join(parts)


def write(figures: Figures, setting: Setting) -> None:
    """Put the tables between their marks in the page, and the plot beside it."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{report(figures, setting)}\n\n{END}{after}")
    PLOT.write_text(plot(_ratios(figures), titles(figures.shapes, setting.plan)))


def titles(shapes: list[Shape], plan: Plan) -> dict[str, str]:
    """Return what each shape is called, with its numbers at this scale."""
    ordinary = plan.ordinary[0]
    portfolios = sum(ordinary.portfolios)
    numbers = {
        "objects": 1 + len(ordinary.portfolios) + portfolios,
        "positions": ordinary.position_count,
        "transactions": portfolios * DEEP_PAGE,
        "depth": f"{DEPTH:,}",
        "wide": f"{WIDE:,}",
        "grown": f"{plan.growing[1].position_count:,}",
    }
    return {shape.key: shape.title % numbers for shape in shapes}


def _introduction(figures: Figures, setting: Setting) -> str:
    plan, peers = setting.plan, setting.peers
    users = plan.users
    counts = (
        f"{len(users):,} users, {sum(sum(u.portfolios) for u in users):,} portfolios, "
        f"{sum(u.position_count for u in users):,} positions and "
        f"{sum(u.entry_count for u in users):,} transactions"
    )
    load = f"{min(figures.load):.1f} to {max(figures.load):.1f}"
    versions = (
        ", ".join(f"{name} {version}" for name, version in peers.versions.items())
        if peers
        else "without the peers"
    )
    one = (
        ""
        if setting.has_compiler
        else " There is no compiler yet: both of Graphfolio's columns are the resolvers'."
    )
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {setting.cores} cores, a load of {load} while it ran, "
        f"Python {platform.python_version()}, PostgreSQL {figures.postgres}, {versions}. {counts}; "
        f"{setting.rounds} rounds of {setting.seconds:g} s for each figure, "
        f"{figures.minutes:.0f} minutes in all.{one}"
    )


def _others(figures: Figures) -> list[Target]:
    return [target for target in figures.bench.targets if target.key != "limit"]


def _ratios(figures: Figures) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return median, least and greatest multiple of the limit in a round, by label and shape."""
    bench = figures.bench
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for target in _others(figures):
        for shape in figures.shapes:
            cell, limit = bench.cell(target, shape), bench.cell(bench.targets[0], shape)
            if cell is not None and limit is not None:
                rounds = [a / b for a, b in zip(cell.totals, limit.totals, strict=True)]
                found.setdefault(target.label, {})[shape.key] = (
                    statistics.median(rounds),
                    min(rounds),
                    max(rounds),
                )
    return found


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _costs(figures: Figures, setting: Setting) -> str:
    """Return the main table: CPU of server and PostgreSQL for a request, as a multiple of the limit."""
    bench, others = figures.bench, _others(figures)
    named, ratios = titles(figures.shapes, setting.plan), _ratios(figures)
    rows = []
    for shape in figures.shapes:
        limit = bench.cell(bench.targets[0], shape)
        row = [named[shape.key], "failed" if limit is None else _milliseconds(limit.total)]
        for target in others:
            found = ratios.get(target.label, {}).get(shape.key)
            row.append("failed" if found is None else "{:.2f} ({:.2f}-{:.2f})".format(*found))
        rows.append([*row, f"{shape.goal:g}"])
    head = ["", "the limit, ms", *(target.label for target in others), "goal"]
    return (
        "CPU of the server and of PostgreSQL for one request, as a multiple of the limit: the median of the "
        f"rounds, the least and the greatest.\n\n{_table(head, rows)}"
    )


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _latencies(figures: Figures, setting: Setting) -> str:
    bench, named = figures.bench, titles(figures.shapes, setting.plan)
    rows = []
    for shape in figures.shapes:
        for connections in shape.connections:
            row = [named[shape.key], str(connections)]
            for target in bench.targets:
                cell = bench.cells.get((target.key, shape.key, connections))
                if cell is None or shape.key in target.failures:
                    row.append("failed")
                else:
                    both = (percentile(cell.took, part) for part in (0.5, 0.99))
                    row.append(" / ".join(map(_milliseconds, both)))
            rows.append(row)
    head = ["", "connections", *(target.label for target in bench.targets)]
    return (
        "Milliseconds until the answer, p50 / p99 of all rounds, with so many connections at a time.\n\n"
        + _table(head, rows)
    )


def _growth(figures: Figures) -> str:
    bench = figures.bench
    rows = []
    for size, shape in figures.growth:
        row = [f"{size:,}"]
        for target in bench.targets:
            cell = bench.cell(target, shape)
            if cell is None:
                row.append("failed")
            else:
                row.append(f"{_milliseconds(cell.total)} ({cell.total * 1e6 / size:.1f})")
        rows.append(row)
    head = ["positions", *(target.label for target in bench.targets)]
    return (
        "Growth: milliseconds of CPU for one request, and in brackets microseconds for each position.\n\n"
        + _table(head, rows)
    )


def _waits(figures: Figures) -> str:
    rows = []
    for target in figures.bench.targets:
        waits = figures.waits.get(target.key)
        if waits:
            three = (percentile(waits, 0.5), percentile(waits, 0.99), max(waits))
            rows.append([target.label, *map(_milliseconds, three)])
    return (
        "How long another user waits for S while one user reads the largest tree of the first table again "
        f"and again, in milliseconds.\n\n{_table(['', 'p50', 'p99', 'longest'], rows)}"
    )


def _memory(figures: Figures) -> str:
    rows = []
    for target in figures.bench.targets:
        start, rounds, end = figures.memory[target.key]
        rows.append([target.label, *(f"{value:.0f}" for value in (start[0], rounds[0], end[0], end[1]))])
    head = ["", "at the start", "after the rounds", "at the end", "most"]
    return f"MiB of the server's memory.\n\n{_table(head, rows)}"


def _failures(figures: Figures) -> str:
    lines = [
        f"- {target.label}, {shape}: {message.splitlines()[0][:300]}"
        for target in figures.bench.targets
        for shape, message in target.failures.items()
    ]
    return "Failed:\n\n" + "\n".join(lines)
