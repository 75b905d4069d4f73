"""What is imported is declared: a package that is only there because another wants it may go with it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("commands", "db", "graph", "investing", "migrations", "runtime")
OWN = {*FLOORS, "tests", "bench", "graphfolio", "settings", "run"}


def test_every_package_that_is_imported_is_declared() -> None:
    assert _missing(_files(*FLOORS, "graphfolio.py", "settings.py", "run.py"), _declared()) == set()


def test_every_package_that_tests_and_benchmarks_import_is_declared() -> None:
    assert _missing(_files("tests", "bench"), _declared() | _declared("dev")) == set()


def _missing(files: Iterable[Path], declared: set[str]) -> set[str]:
    """Return the imported packages none of whose distributions is declared."""
    distributions = packages_distributions()
    imported = {name for file in files for name in _imported(file)} - OWN - set(sys.stdlib_module_names)
    return {
        name
        for name in imported
        if not declared & {_canonical(each) for each in distributions.get(name, [name])}
    }


def _files(*places: str) -> Iterator[Path]:
    for place in places:
        yield from (ROOT / place).rglob("*.py") if (ROOT / place).is_dir() else [ROOT / place]


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield node.module.partition(".")[0]


def _declared(group: str | None = None) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements = project["dependency-groups"][group] if group else project["project"]["dependencies"]
    return {_canonical(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in requirements}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("floor", ["db", "graph", "investing", "commands", "runtime"])
def test_no_floor_imports_tests_or_benchmarks(floor: str) -> None:
    assert {name for file in _files(floor) for name in _imported(file)} & {"tests", "bench"} == set()
