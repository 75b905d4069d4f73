"""The schema as it is served: with limits in front of it, and logged in one place only."""

import copy
import functools
from typing import Any

import strawberry
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType
from strawberry.utils.operation import get_operation_type

from graph.limits import DocumentChecks, KnownDocuments, Limits, parse_options
from graph.parsing import parse_document
from graph.server.introspection import Introspection
from graph.server.limiting import DocumentLimits
from graph.server.requests import GraphQLRequest


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Runs an operation; of a subscription, each event by itself."""

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return an executor for one event, which shares no memory with the others."""
        executor = super().build_per_event_executor(payload)
        # graphql-core 3.3.2 shares its memory of collected fields among all events, and each of them adds to
        # it: a stream would grow by 3 KB an event for as long as it lasts.
        executor._relevant_sub_fields = {}
        return executor


class ServedSchema(strawberry.Schema):
    """A copy of a schema that shares its types, and has the limits before its other extensions."""

    checks: DocumentChecks
    introspection: Introspection

    @classmethod
    def around(cls, schema: strawberry.Schema, limits: Limits) -> "ServedSchema":
        """Wrap a schema, which stays unchanged. These limits replace any that it has already."""
        served = cls.__new__(cls)
        served.__dict__.update(copy.copy(schema.__dict__))
        served.checks = DocumentChecks(schema._schema, limits)
        served.introspection = Introspection(schema._schema)
        served.execution_context_class = Executor
        served.extensions = (
            functools.partial(DocumentLimits, served.checks),
            *(extension for extension in schema.extensions if extension is not DocumentLimits),
        )
        return served

    @property
    def documents(self) -> KnownDocuments:
        """Return the documents that were found valid."""
        return self.checks.known

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing here: the server logs what it masks, once, with the id of the request."""

    def operation_of(self, query: str, operation_name: str | None) -> tuple[str | None, str | None]:
        """Return the name and the kind of the operation that ran, None for a document that was refused."""
        known = self.documents.peek(query)
        for definition in () if known is None else known.document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                name = definition.name.value if definition.name else None
                if operation_name is None or name == operation_name:
                    return name, definition.operation.value
        return None, None

    def is_query(self, request: GraphQLRequest) -> bool:
        """Return whether the operation that runs is a query, which changes nothing."""
        return self.operation_of(request.query, request.operation_name)[1] == OperationType.QUERY.value

    def is_subscription(self, query: str, operation_name: str | None) -> bool:
        """Return whether the operation that will run is a subscription; False if the document is wrong."""
        if "subscription" not in query:
            return False
        known = self.documents.find(query)
        try:
            document = known.document if known else parse_document(query, **parse_options(self.checks.limits))
            return get_operation_type(document, operation_name) is OperationType.SUBSCRIPTION
        except (GraphQLError, RuntimeError):
            return False
