"""The change counters, which reveal the changes that no transport has delivered."""

from collections.abc import Mapping

from db.notifier.subjects import Subject
from db.sessions import Sessions
from db.vocabulary import Topic

_CHANGED = """
SELECT d.owner_id, d.topic, d.changes
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS known (owner_id, topic, changes)
JOIN change_counters d USING (owner_id, topic)
WHERE d.changes <> known.changes
"""


async def changed_counts(sessions: Sessions, known: Mapping[Subject, int]) -> Mapping[Subject, int]:
    """Return the counters that differ from the known ones, for all owners by one statement."""
    owners, topics, counts = (
        [owner_id for owner_id, _ in known],
        [topic.value for _, topic in known],
        list(known.values()),
    )
    async with sessions.nobody() as connection:
        rows = await connection.fetch(_CHANGED, owners, topics, counts)
    return {(row["owner_id"], Topic(row["topic"])): row["changes"] for row in rows}
