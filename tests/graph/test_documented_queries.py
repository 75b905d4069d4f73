"""Every query that README.md and the pages of docs show is one that the schema takes."""

from pathlib import Path

import pytest
from graphql import parse, validate

from graph.schema import build_schema

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [
    pytest.param(block.removeprefix("graphql\n"), id=f"{page.name}-{n}")
    for page in PAGES
    for n, block in enumerate(page.read_text().split("```")[1::2])
    if block.startswith("graphql\n")
]


def test_there_are_some() -> None:
    assert len(SHOWN) >= 6


@pytest.mark.parametrize("query", SHOWN)
def test_a_query_is_valid(query: str) -> None:
    assert validate(build_schema()._schema, parse(query)) == []
