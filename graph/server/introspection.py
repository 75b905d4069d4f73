"""Introspection: computed apart from the event loop, and kept, because the schema never changes."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    execute_sync,
    get_operation_ast,
)

from graph.errors import QueryTooComplex
from graph.limits import CheckedOperation
from graph.server.requests import GraphQLRequest
from investing.background import run_apart

MOST_BESIDE_DATA = 20_000
"""The largest introspection cost of an operation that asks for data too: the two are not separated."""

_INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


@dataclass
class Introspection:
    """Answers operations that ask for nothing but the schema.

    The answers to operations without variables are kept, at most `most` of them and `most_bytes` in all.
    """

    schema: GraphQLSchema
    most: int = 32
    most_bytes: int = 8_000_000
    _kept: OrderedDict[tuple[str, str | None], bytes] = field(default_factory=OrderedDict)

    async def answer(
        self, request: GraphQLRequest, checked: CheckedOperation, owner: Hashable
    ) -> bytes | ExecutionResult | None:
        """Return the JSON of the answer's `data`, or a result that has errors; None if data is asked for too.

        `owner` is whose turn it takes. Raise QueryTooComplex for a large introspection beside data.
        """
        cost = checked.measure.introspection_cost
        if not cost:
            return None
        key = request.query, request.operation_name
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        if not _is_pure(checked.document, request.operation_name):
            if cost > MOST_BESIDE_DATA:
                raise QueryTooComplex(
                    f"The introspection is too complex beside data: its cost is {cost}, the limit is "
                    f"{MOST_BESIDE_DATA}. Send it as an operation of its own.",
                    measure="introspection cost",
                    figure=cost,
                    limit=MOST_BESIDE_DATA,
                )
            return None
        found = await run_apart(owner, self._computed, request, checked.document)
        if isinstance(found, bytes) and not request.variables:
            self._keep(key, found)
        return found

    def _computed(self, request: GraphQLRequest, document: DocumentNode) -> bytes | ExecutionResult:
        result = execute_sync(
            self.schema,
            document,
            variable_values=request.variables,
            operation_name=request.operation_name,
        )
        return result if result.errors else orjson.dumps(result.data)

    def _keep(self, key: tuple[str, str | None], answer: bytes) -> None:
        self._kept[key] = answer
        while len(self._kept) > self.most or sum(map(len, self._kept.values())) > self.most_bytes:
            self._kept.popitem(last=False)


def _is_pure(document: DocumentNode, operation_name: str | None) -> bool:
    """Return whether an operation of a valid document asks for nothing but introspection."""
    operation = get_operation_ast(document, operation_name)
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    if operation is None:
        return False
    return all(name in _INTROSPECTION for name in _names(operation.selection_set, fragments, set()))


def _names(selections: SelectionSetNode, fragments: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """Yield the names of the fields at the top of an operation."""
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection.name.value
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name not in seen:
                seen.add(name)
                yield from _names(fragments[name], fragments, seen)
        elif isinstance(selection, InlineFragmentNode):
            yield from _names(selection.selection_set, fragments, seen)
