"""The counters of doorbells, which find what no line has carried."""

from collections.abc import Mapping

from db.notifier.subjects import Subject
from db.sessions import Sessions
from db.vocabulary import Topic

_RINGS = """
SELECT d.owner_id, d.topic, d.rings
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS known (owner_id, topic, rings)
JOIN doorbells d USING (owner_id, topic)
WHERE d.rings <> known.rings
"""


async def changed_counts(sessions: Sessions, known: Mapping[Subject, int]) -> Mapping[Subject, int]:
    """The counters that are not as they are known here; one statement for everybody."""
    owners, topics, counts = (
        [owner_id for owner_id, _ in known],
        [topic.value for _, topic in known],
        list(known.values()),
    )
    async with sessions.nobody() as connection:
        rows = await connection.fetch(_RINGS, owners, topics, counts)
    return {(row["owner_id"], Topic(row["topic"])): row["rings"] for row in rows}
