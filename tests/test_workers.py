"""Which tests go to the same worker, and in which order they are dealt out."""

import pytest

from tests.workers import turn, unit


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
    units = ["postgresql-15 b.py", "embedded a.py", "none a.py", "none tests/faults/", "embedded c.py"]
    assert sorted(units, key=turn) == [
        "none tests/faults/",
        "embedded a.py",
        "embedded c.py",
        "none a.py",
        "postgresql-15 b.py",
    ]
