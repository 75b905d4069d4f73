"""The login of an operation, while it is checked again."""

import asyncio
from collections.abc import Callable
from contextlib import closing

import asyncpg
from argon2 import PasswordHasher

from db.sessions import Sessions
from graph.viewer import ViewerLogin
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.notifier import Notifier
from tests.faults.waiting import until
from tests.graph.conftest import Api
from tests.graph.stored import row_id

WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'refresh_tokens'::regclass)"


async def test_reads_go_on_until_a_check_is_answered(
    sessions: Sessions, superuser_url: str, ring: KeyRing, register: Callable[[], Api]
) -> None:
    """Another session of the user may end at any time: each stream of theirs then checks its own login."""
    api = register()
    assert api.user_id is not None
    blocker = await asyncpg.connect(superuser_url)
    try:
        with closing(Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))) as passwords:
            auth_service = AuthService(sessions, AccessTokens(ring, "graphfolio", "graphfolio"), passwords)
            login = ViewerLogin(sessions, auth_service, Notifier(), api.token)
            await login.viewer()
            await blocker.execute("BEGIN; LOCK TABLE refresh_tokens")
            checking = asyncio.create_task(login.recheck())

            async def is_waiting() -> bool:
                return bool(await blocker.fetchval(WAITING))

            await until(is_waiting, 60)
            assert login.viewer_id == row_id(api.user_id)
            await blocker.execute("ROLLBACK")
            assert (await checking).id == row_id(api.user_id)
    finally:
        await blocker.close()
