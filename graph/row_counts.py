"""How many rows each user has, kept for a while: what bounds the cost of a user's queries."""

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from db.row_counts import RowCounts, fetch_row_counts
from db.sessions import Sessions

SECONDS = 30.0
"""How long counts are kept. What others write for a user meanwhile, such as an order's fills, may be missing
from them; the size of each answer is checked once more when it is made.
"""
NOTHING = RowCounts(*(0 for _ in RowCounts._fields))
"""What somebody who is not logged in can read."""


class KnownRowCounts:
    """The counts of the users who have lately asked for more than pages alone allow; bounded in number."""

    def __init__(self, sessions: Sessions, most: int = 10_000, clock: Callable[[], float] = time.monotonic):
        self._sessions = sessions
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[UUID, tuple[float, RowCounts]] = OrderedDict()
        self._reading: dict[UUID, object] = {}

    def find(self, user_id: UUID) -> RowCounts | None:
        """Return the counts of a user if they were read lately, None otherwise."""
        kept = self._kept.get(user_id)
        return None if kept is None or kept[0] < self._clock() else kept[1]

    async def of(self, user_id: UUID) -> RowCounts:
        """Return the counts of a user, read in one statement unless they are known."""
        found = self.find(user_id)
        if found is not None:
            return found
        mine = self._reading[user_id] = object()
        try:
            until = self._clock() + SECONDS
            async with self._sessions.reading(user_id) as connection:
                found = await fetch_row_counts(connection, user_id)
        finally:
            # Counts that were read while the user wrote something may lack it, and are not kept.
            is_current = self._reading.get(user_id) is mine
            if is_current:
                del self._reading[user_id]
        if is_current:
            self._keep(user_id, until, found)
        return found

    def forget(self, user_id: UUID) -> None:
        """Read a user's counts anew the next time: the user has written something."""
        self._kept.pop(user_id, None)
        self._reading.pop(user_id, None)

    def _keep(self, user_id: UUID, until: float, counts: RowCounts) -> None:
        self._kept[user_id] = until, counts
        self._kept.move_to_end(user_id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
