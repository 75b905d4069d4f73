"""Setting up, killed on the way: nothing half-made is ever seen, and the next run completes it."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from db.sessions import open_sessions
from investing.actor import RequestOrigin
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.demo.service import set_up_demo
from investing.rules.errors import NameTaken, WeakPassword
from tests.conftest import Postgres, copy_of, on_one_server
from tests.investing.demo.consistency import CONTRADICTIONS
from tests.market_rows import count, rows

ROOT = Path(__file__).parents[3]
PASSWORD = "a password of one's own"


def kill_at(url: str, owner_url: str, is_time: Callable[[str], bool]) -> str:
    """Sets up in another process until a line of its report says that it is time. The line."""
    command = [sys.executable, "-m", "tests.investing.demo.setting_up", url, owner_url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while not is_time(line := process.stdout.readline()):
            assert line, "it came to its end before it was time"
            process.stdin.write("\n")
        process.kill()
    return line


def half_way(step: str) -> Callable[[str], bool]:
    def is_time(line: str) -> bool:
        name, _, figures = line.partition(": ")
        if name != step:
            return False
        done, total = map(int, figures.split("/"))
        return done * 2 >= total

    return is_time


def any_time() -> Callable[[str], bool]:
    # At least 120 lines come before the demo's own rows go in.
    lines = iter(range(random.randrange(1, 120), -1, -1))
    return lambda line: next(lines) == 0


def with_door(url: str, work: Callable[[AuthService], object]) -> None:
    async def run() -> None:
        passwords = Passwords(at_once=1)
        async with open_sessions(url, size=2) as sessions:
            await work(AuthService(sessions, AccessTokens(KeyRing.generate(), "test", "test"), passwords))  # type: ignore[misc]
        passwords.close()

    asyncio.run(run())


@on_one_server
def test_killed_on_the_way_it_is_made_anew(postgres: Postgres) -> None:
    with copy_of(postgres, postgres.template) as name:
        url, owner_url, superuser_url = (
            postgres.url(role, name) for role in ("graphfolio_app", "graphfolio_owner", "postgres")
        )
        demos = "SELECT count(*) FROM {} t JOIN users u ON u.id = t.owner_id WHERE u.username = 'demo'"
        for is_time in (half_way("Storing other's trades"), any_time(), half_way("Storing demo's trades")):
            line = kill_at(url, owner_url, is_time)
            for table in ("accounts", "transactions", "performance_history"):
                assert rows(superuser_url, demos.format(table)) == [(0,)], line
        outcome = set_up_demo(url, owner_url, PASSWORD, lambda *_: None)
        assert (outcome.password, outcome.created) == (PASSWORD, True)
        with_door(url, lambda auth_service: auth_service.login("demo", PASSWORD, RequestOrigin()))
        assert [count(superuser_url, table) for table in ("users", "accounts", "portfolios")] == [2, 4, 7]
        assert count(superuser_url, "transactions") == 9080 + 316
        assert {rule for rule, query in CONTRADICTIONS.items() if rows(superuser_url, query)} == set()


def test_a_name_that_somebody_has_is_left_alone(postgres: Postgres) -> None:
    with copy_of(postgres, postgres.template) as name:
        url, owner_url = postgres.url("graphfolio_app", name), postgres.url("graphfolio_owner", name)
        client = RequestOrigin("192.0.2.7", "graphfolio demo")
        with_door(
            url, lambda auth_service: auth_service.register("Demo", "d@example.org", PASSWORD, None, client)
        )
        with pytest.raises(NameTaken, match="Somebody has registered as demo"):
            set_up_demo(url, owner_url, None, lambda *_: None)
        with_door(url, lambda auth_service: auth_service.login("demo", PASSWORD, client))
        assert count(postgres.url("postgres", name), "users") == 1


def test_a_weak_password_is_refused_before_anything_is_done(postgres: Postgres) -> None:
    with copy_of(postgres, postgres.template) as name:
        url, owner_url = postgres.url("graphfolio_app", name), postgres.url("graphfolio_owner", name)
        with pytest.raises(WeakPassword):
            set_up_demo(url, owner_url, "too short", lambda *_: None)
        assert [count(owner_url, table) for table in ("logins", "instruments")] == [0, 0]
