"""Subjects as text, the same on every transport between processes."""

from collections.abc import Collection, Iterator
from uuid import UUID

from db.vocabulary import Topic

Subject = tuple[UUID, Topic]
"""Whose change, and about what."""

# PostgreSQL takes 8,000 bytes; a subject takes 40 at the most.
_SUBJECTS_ON_A_PAGE = 150


def pages(subjects: Collection[Subject]) -> list[str]:
    """The subjects in texts of 6,000 bytes at the most."""
    texts = [f"{topic.value}:{owner_id.hex}" for owner_id, topic in subjects]
    starts = range(0, len(texts), _SUBJECTS_ON_A_PAGE)
    return [",".join(texts[at : at + _SUBJECTS_ON_A_PAGE]) for at in starts]


def subjects_on(page: str) -> Iterator[Subject]:
    """The subjects of such a text; whatever else somebody sends is passed over."""
    for text in page.split(","):
        topic, _, owner_id = text.partition(":")
        try:
            yield UUID(owner_id), Topic(topic)
        except ValueError:
            continue
