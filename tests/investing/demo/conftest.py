"""Databases with the demo in them: it is set up once for each server, and copied for each module."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from investing.demo.service import DemoOutcome, set_up_demo
from tests.conftest import Postgres, copy_of, execute


@dataclass(frozen=True)
class DemoTemplate:
    """The name of a database that has the demo, and what setting it up said."""

    name: str
    outcome: DemoOutcome


@pytest.fixture(scope="session")
def demo_template(postgres: Postgres) -> DemoTemplate:
    name = "graphfolio_demo_template"
    create = f"CREATE DATABASE {name} OWNER graphfolio_owner TEMPLATE {postgres.template}"
    asyncio.run(execute(postgres.superuser_url, create))
    url, owner_url = postgres.url("graphfolio_app", name), postgres.url("graphfolio_owner", name)
    return DemoTemplate(name, set_up_demo(url, owner_url, None, lambda step, done, total: None))


@pytest.fixture(scope="module")
def database_name(postgres: Postgres, demo_template: DemoTemplate) -> Iterator[str]:
    with copy_of(postgres, demo_template.name) as name:
        yield name


@pytest.fixture
def demo(demo_template: DemoTemplate) -> DemoOutcome:
    return demo_template.outcome
