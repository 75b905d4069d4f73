"""The checks of a document as an extension of Strawberry, for what is run by it."""

from collections.abc import Iterator
from typing import Any, cast

from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ParseOptions

from graph.limits import Checked, DocumentChecks, DocumentRefused, parse_options


class DocumentLimits(SchemaExtension):
    """Checks a document before it runs, and reports its cost in the answer's extensions.

    It has no `resolve` hook: an asynchronous one makes every field six times slower.
    """

    def __init__(self, checks: DocumentChecks) -> None:
        self._checks = checks
        self._checked: Checked | None = None

    def on_parse(self) -> Iterator[None]:
        """Use the cached document if there is one, or limit the parser."""
        execution = self.execution_context
        execution.parse_options = cast(ParseOptions, parse_options(self._checks.limits))
        known = self._checks.known.find(execution.query or "")
        if known is not None:
            execution.graphql_document = known.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Measure first, in linear time, and validate only what is within the limits."""
        execution = self.execution_context
        assert execution.graphql_document is not None
        try:
            self._checked = self._checks.check_parsed(
                execution.query or "",
                execution.graphql_document,
                execution.variables or {},
                execution._provided_operation_name,
            )
            execution.pre_execution_errors = []
        except DocumentRefused as refused:
            execution.pre_execution_errors = refused.errors
        yield

    def get_results(self) -> dict[str, Any]:
        """Report what the operation that ran was counted as."""
        return {} if self._checked is None else {"cost": self._checked.report()}
