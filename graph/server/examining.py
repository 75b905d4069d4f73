"""Parse and validate long new documents apart from the event loop."""

from collections.abc import Hashable

from graph.limits import DocumentChecks
from investing.background import run_apart

SHORT_CHARACTERS = 1_000
"""A new document up to this long is examined at once: it takes a few milliseconds at the most."""


async def examine(checks: DocumentChecks, text: str, owner: Hashable) -> None:
    """Make a document known, if it is long and not known yet.

    `owner` is whose turn it takes. Raise DocumentRefused.
    """
    if len(text) > SHORT_CHARACTERS and checks.known.peek(text) is None:
        checks.known.keep(text, await run_apart(owner, checks.examine, text))
