"""What processes have used: CPU time and memory, from /proc."""

import os
from contextlib import suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that this one started and that live."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def cpu(*pids: int) -> float:
    """Return the seconds of CPU, user and system, that processes and their ended children have used."""
    return sum(map(_cpu_of, pids))


def postgres_cpu(pid: int) -> float:
    """Return the same of PostgreSQL with all its processes, by the postmaster's id."""
    return cpu(pid, *children(pid))


def _cpu_of(pid: int) -> float:
    """Return the nanoseconds that the scheduler has counted, or else utime + stime, in hundredths.

    Both are the same sum; a short measurement of ten processes needs the finer one.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ended = sum(map(int, fields[13:15])) / TICK
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        counted = [int((task / "schedstat").read_text().split()[0]) for task in tasks]
        if any(counted):
            return sum(counted) / 1e9 + ended
        return sum(map(int, fields[11:13])) / TICK + ended
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def memory(pid: int) -> tuple[float, float]:
    """Return the MiB that a process has in memory now, and the most that it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    now, most = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def pin(cores: set[int], *pids: int) -> None:
    """Let processes, with all their threads, run on these cores only."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), cores)
