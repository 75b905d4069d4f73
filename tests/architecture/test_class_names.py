"""One word has one meaning on every floor: no class shares its name with another."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from investing.rules.errors import DomainError

ROOT = Path(__file__).parents[2]
FLOORS = ("commands", "graph", "runtime", "investing", "db")


def classes() -> Iterator[tuple[str, str, ast.ClassDef]]:
    """Yield the floor, the path and the definition of each class of the product."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield floor, str(path.relative_to(ROOT)), node


def is_graphql(node: ast.ClassDef) -> bool:
    """Return whether a decorator makes it a type of the schema."""
    return any("strawberry." in ast.unparse(decorator) for decorator in node.decorator_list)


def test_no_two_classes_of_a_floor_share_a_name() -> None:
    found = defaultdict(list)
    for floor, path, node in classes():
        found[floor, node.name].append(path)
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_floors_share_a_name_for_what_the_schema_shows_and_for_errors_alone() -> None:
    """A GraphQL type has the name of the row or value that it shows, a userError that of its DomainError."""
    found = defaultdict(list)
    for floor, path, node in classes():
        found[node.name].append((floor, path, is_graphql(node)))
    errors = {error.__name__ for error in DomainError.__subclasses__()} | {"DomainError"}
    shared = {
        name: [path for _, path, _ in places]
        for name, places in found.items()
        if len(places) > 1
        and not (name in errors and [floor for floor, *_ in places] == ["graph", "investing"])
        and not (len(places) == 2 and places[0][0] == "graph" and places[0][2])
    }
    assert shared == {}
