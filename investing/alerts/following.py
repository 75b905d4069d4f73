"""Follow a user's alerts: a position in their sequence, and page after page from there without a gap."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from db.alerts.queries import fetch_alert_page
from db.alerts.rows import AlertPageRow
from db.sessions import Connection
from db.vocabulary import AlertSeverity

PAGE = 25
"""How many alerts at most wait in memory for a reader that takes none, some 60 KB."""
BEFORE_THE_FIRST = UUID(int=0)
"""The epoch of a position before the first alert, used while there is no sequence yet."""

_VERSION = b"\x01"
_LENGTH = len(_VERSION) + 16 + 8


class InvalidCursor(ValueError):
    """The text is not a cursor of this stream."""


class PositionLost(Exception):
    """The position is no longer part of the sequence, so the alerts that follow it are not known.

    `is_purged` means that it was part of it, and that what came after it has been purged; otherwise the
    position belongs to another epoch, before a backup was restored. `oldest` is the position before the
    oldest alert that is kept, `latest` the one after the newest.
    """

    def __init__(self, is_purged: bool, oldest: "StreamPosition", latest: "StreamPosition") -> None:
        super().__init__("the position is no longer part of the sequence")
        self.is_purged = is_purged
        self.oldest = oldest
        self.latest = latest


@dataclass(frozen=True)
class StreamPosition:
    """A position in a user's sequence of alerts: after number `seq` of `epoch`."""

    epoch: UUID
    seq: int

    @property
    def cursor(self) -> str:
        """The cursor that a client keeps."""
        return base64.urlsafe_b64encode(_VERSION + self.epoch.bytes + self.seq.to_bytes(8, "big")).decode()

    @classmethod
    def of(cls, cursor: str) -> "StreamPosition":
        """Return the position of a cursor; raise InvalidCursor if it is not one."""
        try:
            data = base64.urlsafe_b64decode(cursor.encode())
        except (binascii.Error, ValueError):
            raise InvalidCursor from None
        if len(data) != _LENGTH or data[:1] != _VERSION:
            raise InvalidCursor
        position = cls(UUID(bytes=data[1:17]), int.from_bytes(data[17:], "big"))
        # Accept one spelling only, and a number within the database's range.
        if position.cursor != cursor or position.seq > 2**31 - 1:
            raise InvalidCursor
        return position


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts a client follows; the position also moves past the others."""

    severities: Sequence[AlertSeverity] | None = None
    portfolio_id: UUID | None = None


@dataclass(frozen=True)
class AlertPage:
    """A page of alerts and the position after it. `is_full` means that there may be more already."""

    rows: Sequence[AlertPageRow]
    position: StreamPosition
    is_full: bool


async def latest_position(connection: Connection, owner_id: UUID) -> StreamPosition:
    """Return the position after the newest alert."""
    rows = await fetch_alert_page(connection, owner_id, 2**31 - 1, most=1)
    return (
        StreamPosition(rows[0]["epoch"], rows[0]["last_seq"]) if rows else StreamPosition(BEFORE_THE_FIRST, 0)
    )


async def next_page(
    connection: Connection, owner_id: UUID, position: StreamPosition, filter: AlertFilter, most: int = PAGE
) -> AlertPage:
    """Return the page of alerts after a position; raise PositionLost if it is no longer valid."""
    severities = None if filter.severities is None else [severity.value for severity in filter.severities]
    rows = await fetch_alert_page(connection, owner_id, position.seq, severities, filter.portfolio_id, most)
    if not rows:
        if position != StreamPosition(BEFORE_THE_FIRST, 0):
            nowhere = StreamPosition(BEFORE_THE_FIRST, 0)
            raise PositionLost(False, nowhere, nowhere)
        return AlertPage([], position, False)
    epoch, last, purged = rows[0]["epoch"], rows[0]["last_seq"], rows[0]["purged_seq"]
    is_of_this_epoch = position.epoch == epoch or position == StreamPosition(BEFORE_THE_FIRST, 0)
    if not is_of_this_epoch or not purged <= position.seq <= last:
        is_purged = is_of_this_epoch and position.seq < purged
        raise PositionLost(is_purged, StreamPosition(epoch, purged), StreamPosition(epoch, last))
    found = [row for row in rows if row["id"] is not None]
    is_full = len(found) == most
    # One statement read the sequence and the alerts, so a page that is not full reaches the last number.
    return AlertPage(found, StreamPosition(epoch, found[-1]["seq"] if is_full else last), is_full)
