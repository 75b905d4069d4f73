"""The checks of a document as an extension of Strawberry, for what is run by it."""

from collections.abc import Iterator
from typing import cast

from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ParseOptions

from graph.limits import DocumentChecks, DocumentRefused, parse_options


class DocumentLimits(SchemaExtension):
    """Limits the text of a document and validates it, both once for each document.

    What its answer can become was checked before (`Operations`): that needs the rows of its owner. It has no
    `resolve` hook: an asynchronous one makes every field six times slower.
    """

    def __init__(self, checks: DocumentChecks) -> None:
        self._checks = checks

    def on_parse(self) -> Iterator[None]:
        """Use the cached document if there is one, or limit the parser."""
        execution = self.execution_context
        execution.parse_options = cast(ParseOptions, parse_options(self._checks.limits))
        known = self._checks.known.peek(execution.query or "")
        if known is not None:
            execution.graphql_document = known.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Refuse what may not run."""
        execution = self.execution_context
        assert execution.graphql_document is not None
        try:
            self._checks.validate(
                execution.query or "", execution.graphql_document, execution._provided_operation_name
            )
            execution.pre_execution_errors = []
        except DocumentRefused as refused:
            execution.pre_execution_errors = refused.errors
        yield
