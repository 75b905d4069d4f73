"""A bounded queue that is fair between the sources of what waits in it."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Give one item of each source in turn, however many a source has put in.

    At most `most` items wait, None for no bound. One more pushes out the newest item of the source that has
    the most: a source that floods the queue only crowds out itself. Source: the fair queueing of J. Nagle,
    RFC 970, and the drop from the longest queue of RFC 8290, section 4.1.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lines: dict[str, deque[T]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, source: str, item: T) -> T | None:
        """Add an item; return the one that had to leave for it, which may be the item itself, or None."""
        line = self._lines.setdefault(source, deque())
        line.append(item)
        self._size += 1
        if self._most is None or self._size <= self._most:
            return None
        # Of equally long ones the line of the newcomer, so that nobody loses the place that they have.
        longest = max(self._lines, key=lambda one: (len(self._lines[one]), one == source))
        dropped = self._lines[longest][-1]
        self.remove(longest, dropped)
        return dropped

    def take(self) -> T | None:
        """Remove and return the oldest item of the source whose turn it is, None if nothing waits."""
        if not self._size:
            return None
        source = next(iter(self._lines))
        line = self._lines.pop(source)
        item = line.popleft()
        self._size -= 1
        if line:
            # Behind all others.
            self._lines[source] = line
        return item

    def remove(self, source: str, item: T) -> None:
        """Remove an item that waits no longer; do nothing if it has left already."""
        line = self._lines.get(source)
        if line is None or item not in line:
            return
        line.remove(item)
        self._size -= 1
        if not line:
            del self._lines[source]
