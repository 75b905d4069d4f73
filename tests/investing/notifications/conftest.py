"""A post for each test, and receivers."""

from collections.abc import AsyncIterator, Iterator

import pytest

from db.sessions import Sessions
from investing.notifications.channels.smtp import SmtpConfig
from tests.investing.exchange import Exchange
from tests.investing.notifications.post import Post
from tests.investing.notifications.receivers import HttpReceiver, MailServer, http_receiver, mail_server


@pytest.fixture
async def post(sessions: Sessions, exchange: Exchange) -> Post:
    actor, _ = await exchange.trader("1")
    return Post(sessions, exchange, actor)


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as running:
        yield running


@pytest.fixture
def mails(post: Post) -> Iterator[MailServer]:
    """A mail server, which the post uses."""
    with mail_server() as running:
        post.smtp_config = SmtpConfig(
            "127.0.0.1", running.port, "Graphfolio <alerts@graphfolio.example>", "none"
        )
        yield running
