"""Subjects as text, in the same form on every transport between processes."""

from collections.abc import Collection, Iterator
from uuid import UUID

from db.vocabulary import Topic

Subject = tuple[UUID, Topic]
"""The owner of a change, and its topic."""

# PostgreSQL accepts 8,000 bytes; a subject takes 40 at the most.
_SUBJECTS_ON_A_PAGE = 150


def pages(subjects: Collection[Subject]) -> list[str]:
    """Return the subjects as texts of at most 6,000 bytes."""
    texts = [f"{topic.value}:{owner_id.hex}" for owner_id, topic in subjects]
    starts = range(0, len(texts), _SUBJECTS_ON_A_PAGE)
    return [",".join(texts[at : at + _SUBJECTS_ON_A_PAGE]) for at in starts]


def subjects_on(page: str) -> Iterator[Subject]:
    """Yield the subjects of such a text; ignore anything else in it."""
    for text in page.split(","):
        topic, _, owner_id = text.partition(":")
        try:
            yield UUID(owner_id), Topic(topic)
        except ValueError:
            continue
