"""Which tests go to the same worker, and in which order they are dealt out."""

import inspect
from pathlib import Path

import pytest
from hypothesis.internal.conjecture import engine

from tests.workers import LONGEST, turn, unit

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("tests/graph/test_exact.py::test_it[embedded-1]", "embedded tests/graph/test_exact.py"),
        ("tests/graph/test_exact.py::test_it[1-postgresql-15]", "postgresql-15 tests/graph/test_exact.py"),
        ("tests/graph/test_exact.py::test_it", "none tests/graph/test_exact.py"),
        ("tests/faults/test_kills.py::test_it[short]", "none tests/faults/"),
        ("tests/investing/demo/test_demo.py::test_it[embedded]", "embedded tests/investing/demo/"),
    ],
)
def test_a_file_or_a_room_on_one_server_stays_together(test: str, expected: str) -> None:
    assert unit(test) == expected


def test_the_longest_room_comes_first_and_nobody_goes_back_to_a_server() -> None:
    units = ["postgresql-15 b.py", "embedded a.py", "embedded tests/investing/demo/", "none a.py"]
    units += ["none tests/test_newcomer.py", "none tests/faults/", "embedded c.py"]
    assert sorted(units, key=turn) == [
        "none tests/faults/",
        "none tests/test_newcomer.py",
        "embedded tests/investing/demo/",
        "embedded a.py",
        "embedded c.py",
        "none a.py",
        "postgresql-15 b.py",
    ]


def test_the_longest_are_there() -> None:
    assert [path for path in LONGEST if not (ROOT / path).exists()] == []


def test_shrinking_is_bounded_where_the_library_looks() -> None:
    """`conftest` sets a name of the library's own: where it has gone, a failure may shrink for minutes."""
    source = inspect.getsource(engine.ConjectureRunner)
    assert "+ MAX_SHRINKING_SECONDS" in source
    assert engine.MAX_SHRINKING_SECONDS == 20
