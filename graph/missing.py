"""Log ids that name nothing of the viewer's: the same for another owner's rows as for none."""

import logging
from collections.abc import Iterable, Sequence
from uuid import UUID

from strawberry.types import Info as AnyInfo

from graph.context import Context

logger = logging.getLogger("graphfolio.access")
MOST_IDS = 10


def log_missing(info: AnyInfo[Context, None], type_name: str | None, ids: Iterable[UUID]) -> None:
    """Log one line for a field that was asked for ids which are not the viewer's."""
    found: Sequence[str] = [str(id) for id in ids]
    logger.info(
        "id not found",
        extra={
            "field": info.field_name,
            "type_name": type_name,
            "ids": found[:MOST_IDS],
            "id_count": len(found),
            "user_id": info.context.user_id,
        },
    )
