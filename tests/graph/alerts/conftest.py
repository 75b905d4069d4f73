"""Alerts raised as a worker raises them: in a transaction of its own, and announced after the commit."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from db.notifier.transport import PostgresTransport
from db.sessions import Session, Sessions
from db.vocabulary import AlertKind, AlertSeverity, Topic
from graph.ids import parse_global_id
from investing.alerts.raising import NewAlert, raise_alerts
from tests.graph.conftest import Api


@dataclass
class Recipient:
    """A user, and what happens to them."""

    api: Api
    sessions: Sessions
    line: PostgresTransport
    sent: int = 0

    @property
    def id(self) -> UUID:
        """The user's id."""
        assert self.api.user_id is not None
        return parse_global_id(self.api.user_id)[1]

    async def alert(
        self,
        number: int = 1,
        *,
        severity: AlertSeverity = AlertSeverity.INFO,
        portfolio_id: UUID | None = None,
        is_told: bool = True,
    ) -> list[str]:
        """Raises so many alerts in one transaction; their titles, which count all that the user had."""
        titles = [f"alert {self.sent + place + 1}" for place in range(number)]
        self.sent += number
        alerts = [
            NewAlert(AlertKind.CASH_BELOW, severity, title, title, {"value": "1"}, portfolio_id=portfolio_id)
            for title in titles
        ]

        async def work(session: Session) -> None:
            await raise_alerts(session, self.id, alerts)

        await self.sessions.transact(self.id, work)
        if is_told:
            await self.line.publish([(self.id, Topic.ALERTS)])
        return titles


@pytest.fixture
def recipient(register: Callable[[], Api], sessions: Sessions, app_url: str) -> Callable[[], Recipient]:
    """Makes a user who can be alerted. From outside the event loop, or in a thread."""
    return lambda: Recipient(register(), sessions, PostgresTransport(sessions, app_url))
