"""Following somebody's alerts: a place in their sequence, and page after page from there without a gap."""

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
"""So many alerts wait in memory for a reader who takes none, some 60 KB."""
BEFORE_THE_FIRST = UUID(int=0)
"""The epoch of a place before the first alert, given out while there is no sequence yet."""

_VERSION = b"\x01"
_LENGTH = len(_VERSION) + 16 + 8


class NoCursor(ValueError):
    """A text that is no cursor of this stream."""


class Lost(Exception):
    """The place is not part of the sequence any more: what comes next is not known to follow it.

    `is_purged` says that it was, and that what came after it is too old to be kept; otherwise the place is of
    another epoch, before a restored backup. `oldest` is the place before the oldest alert that there is,
    `latest` the one after the newest.
    """

    def __init__(self, is_purged: bool, oldest: "StreamPosition", latest: "StreamPosition") -> None:
        super().__init__("the place is not part of the sequence any more")
        self.is_purged = is_purged
        self.oldest = oldest
        self.latest = latest


@dataclass(frozen=True)
class StreamPosition:
    """A place in a user's sequence of alerts: after number `seq` of `epoch`."""

    epoch: UUID
    seq: int

    @property
    def cursor(self) -> str:
        """The text that a client keeps."""
        return base64.urlsafe_b64encode(_VERSION + self.epoch.bytes + self.seq.to_bytes(8, "big")).decode()

    @classmethod
    def of(cls, cursor: str) -> "StreamPosition":
        """The place of a cursor. Raises NoCursor."""
        try:
            data = base64.urlsafe_b64decode(cursor.encode())
        except (binascii.Error, ValueError):
            raise NoCursor from None
        if len(data) != _LENGTH or data[:1] != _VERSION:
            raise NoCursor
        place = cls(UUID(bytes=data[1:17]), int.from_bytes(data[17:], "big"))
        # One spelling only, and a number that the database has room for.
        if place.cursor != cursor or place.seq > 2**31 - 1:
            raise NoCursor
        return place


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts somebody follows; the place goes on over the others too."""

    severities: Sequence[AlertSeverity] | None = None
    portfolio_id: UUID | None = None


@dataclass(frozen=True)
class Turn:
    """A page of alerts, and the place after it. `is_full` says that there may be more already."""

    rows: Sequence[AlertPageRow]
    place: StreamPosition
    is_full: bool


async def place_now(connection: Connection, owner_id: UUID) -> StreamPosition:
    """The place after the newest alert."""
    rows = await fetch_alert_page(connection, owner_id, 2**31 - 1, most=1)
    return (
        StreamPosition(rows[0]["epoch"], rows[0]["last_seq"]) if rows else StreamPosition(BEFORE_THE_FIRST, 0)
    )


async def next_turn(
    connection: Connection, owner_id: UUID, place: StreamPosition, wanted: AlertFilter, most: int = PAGE
) -> Turn:
    """What comes after a place. Raises Lost."""
    severities = None if wanted.severities is None else [severity.value for severity in wanted.severities]
    rows = await fetch_alert_page(connection, owner_id, place.seq, severities, wanted.portfolio_id, most)
    if not rows:
        if place != StreamPosition(BEFORE_THE_FIRST, 0):
            nowhere = StreamPosition(BEFORE_THE_FIRST, 0)
            raise Lost(False, nowhere, nowhere)
        return Turn([], place, False)
    epoch, last, purged = rows[0]["epoch"], rows[0]["last_seq"], rows[0]["purged_seq"]
    is_of_this_epoch = place.epoch == epoch or place == StreamPosition(BEFORE_THE_FIRST, 0)
    if not is_of_this_epoch or not purged <= place.seq <= last:
        is_purged = is_of_this_epoch and place.seq < purged
        raise Lost(is_purged, StreamPosition(epoch, purged), StreamPosition(epoch, last))
    found = [row for row in rows if row["id"] is not None]
    is_full = len(found) == most
    # One statement saw the sequence and the alerts: where the page has room, there is nothing up to the last.
    return Turn(found, StreamPosition(epoch, found[-1]["seq"] if is_full else last), is_full)
