"""Every name that docs/glossary.md gives is defined in the file that it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = [
    [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith(("| Term", "| ---"))
    ]
    for table in (ROOT / "docs" / "glossary.md").read_text().split("\n## ")[1:]
]
ROWS = [row for table in TABLES for row in table]


def names_in(path: Path) -> set[str]:
    """Return the classes, functions, methods and type aliases that a module defines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_it_has_terms_of_the_domain_and_of_the_code() -> None:
    assert [len(table) >= 20 for table in TABLES] == [True, True]
    for table in TABLES:
        terms = [row[0].lower() for row in table]
        assert terms == sorted(set(terms))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_term_is_defined_where_the_page_says(row: tuple[str, str, str]) -> None:
    _, meaning, where = row
    path, *names = re.findall(r"`([^`]+)`", where)
    names += re.findall(r"`([^`]+)`", meaning)
    assert (ROOT / path).is_file(), path
    assert set(names) - names_in(ROOT / path) == set()
