"""How the tests are dealt out where several workers run them (`-n 3`, as `run.py test` does).

A worker starts servers of its own, so that no two of them meet in a port, a folder or a database. What costs
time is starting them more often than that: a file's tests stay together, for their module's database; so does
a room that sets up one world for all of its files; and no worker goes back to a server that it has left.
"""

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

ROOMS = ("tests/faults/", "tests/investing/demo/", "tests/db/server/")
LONGEST = (
    "tests/faults/",
    "tests/test_newcomer.py",
    "tests/investing/demo/",
    "tests/graph/ownership/test_writing.py",
    "tests/graph/ownership/test_reading.py",
    "tests/investing/trading/test_commands.py",
    "tests/db/server/",
)
"""The units that take a minute or more, the longest first."""
SERVER = re.compile(r"[\[-](embedded|postgresql-15)[\]-]")


def unit(test: str) -> str:
    """The tests that go to the same worker: a file or a room, and of that, those on one server.

    >>> unit("tests/graph/test_exact.py::test_it[embedded-1]")
    'embedded tests/graph/test_exact.py'
    """
    path = test.split("::")[0]
    room = next((room for room in ROOMS if path.startswith(room)), path)
    server = SERVER.search(test)
    return f"{server[1] if server else 'none'} {room}"


def turn(unit: str) -> tuple[int, bool, bool]:
    """What is dealt out first: the longest, so that nobody waits for it at the end; then by server.

    Two servers live at most for a worker this way, one after the other, as without workers.
    """
    server, path = unit.split(" ", 1)
    place = LONGEST.index(path) if path in LONGEST and server != "postgresql-15" else len(LONGEST)
    return (place, server == "postgresql-15", server != "embedded")


class ByUnit(LoadScopeScheduling):  # type: ignore[misc] # it comes without types
    """Whoever is idle gets the next unit."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=turn), last=False)
        super()._assign_work_unit(node)
