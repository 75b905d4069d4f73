"""The examples of docs/analytics.md are those of the demo: the document cannot say anything else."""

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.sessions import Sessions
from investing.rebalancing import optimiser as optimiser_package
from investing.rebalancing.optimiser.pool import Optimiser
from tests.investing.demo.worked_examples import DOCUMENT, Demo, written
from tests.investing.rebalancing.conftest import answering

WITH_OPTIMISER = {"turnover", "strategies"}
ELSEWHERE = {"cases"}
"""Small histories that are none of the demo's: tests.investing.rules.performance.test_documented_cases."""


@pytest.fixture
async def optimiser() -> AsyncIterator[Optimiser]:
    async with answering(Optimiser()) as optimiser:
        yield optimiser


async def test_every_example_is_computed_from_the_demo(sessions: Sessions, superuser_url: str) -> None:
    demo = await Demo.find(sessions, superuser_url)
    computed = {name: lines async for name, lines in demo.blocks()}
    others = WITH_OPTIMISER | ELSEWHERE
    documented = {name: lines for name, lines in written().items() if name not in others}
    assert documented == computed


async def test_so_are_the_plans(sessions: Sessions, superuser_url: str, optimiser: Optimiser) -> None:
    demo = await Demo.find(sessions, superuser_url)
    computed = {name: lines async for name, lines in demo.plans(optimiser)}
    assert {name: written()[name] for name in WITH_OPTIMISER} == computed


def test_strategies_are_told_in_the_words_of_the_program() -> None:
    """It is read, not imported: that would load the optimiser."""
    program = Path(optimiser_package.__file__).with_name("program.py").read_text()
    docstring = ast.get_docstring(ast.parse(program)) or ""
    told = re.findall(r"^- [A-Z_]+,.*?\.$", docstring, re.MULTILINE | re.DOTALL)
    lines = DOCUMENT.read_text().splitlines()
    assert len(told) == 5
    assert [each for each in told if " ".join(each.split()) not in lines] == []
