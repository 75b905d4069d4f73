"""Fill the places of a compiled answer with what Python computes, by the resolvers' own code.

All places are filled by one more operation on the rows that the statement found: the loaders see all of them
at once, as they would below a list. An error in it is left to the resolvers, who answer the whole document
then.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    execute,
)

from db.reading.text import MARK
from graph.compiler.plans import QueryPlan
from graph.compiler.selecting import ComputedPlace, NotCompiled
from graph.ids import global_id_of_text

_MARK = MARK.encode()
MOST_IDS = 500
"""How many objects `nodes` finds at once."""


async def fill(
    schema: GraphQLSchema,
    executor: type[Any],
    context: Any,
    plan: QueryPlan,
    places: Sequence[ComputedPlace],
    variables: Mapping[str, Any],
    text: bytes,
) -> bytes:
    """Return the text with every place filled. Raise NotCompiled for an error or an object that has gone."""
    parts = text.split(_MARK)
    ids: dict[int, dict[str, None]] = {}
    for mark in parts[1::2]:
        number, _, id = mark.partition(b":")
        ids.setdefault(int(number), {})[id.decode()] = None
    if not ids:
        return text
    document = _document(plan, places, ids)
    result: Any = execute(
        schema,
        document,
        context_value=context,
        variable_values=dict(variables),
        executor_class=executor,
        hide_suggestions=True,
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    if result.errors or result.data is None:
        raise NotCompiled("a computed field has an error")
    values = _values(places, ids, result.data)
    parts[1::2] = [values[mark] for mark in parts[1::2]]
    return b"".join(parts)


def _document(
    plan: QueryPlan, places: Sequence[ComputedPlace], ids: Mapping[int, Mapping[str, None]]
) -> DocumentNode:
    selections: list[SelectionNode] = []
    for number, found in ids.items():
        place = places[number]
        if place.type_name is None:
            selections += place.nodes
            continue
        wanted = InlineFragmentNode(
            type_condition=NamedTypeNode(name=NameNode(value=place.type_name)),
            selection_set=SelectionSetNode(selections=place.nodes),
        )
        for chunk, some in enumerate(_chunks(list(found))):
            selections.append(
                FieldNode(
                    alias=NameNode(value=_alias(number, chunk)),
                    name=NameNode(value="nodes"),
                    arguments=(_ids_argument(place.type_name, some),),
                    selection_set=SelectionSetNode(selections=(wanted,)),
                )
            )
    operation = OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=plan.operation.variable_definitions,
        selection_set=SelectionSetNode(selections=tuple(selections)),
    )
    fragments: Sequence[FragmentDefinitionNode] = list(plan.fragments.values())
    return DocumentNode(definitions=(operation, *fragments))


def _ids_argument(type_name: str, ids: Sequence[str]) -> ArgumentNode:
    values = tuple(StringValueNode(value=global_id_of_text(type_name, id)) for id in ids)
    return ArgumentNode(name=NameNode(value="ids"), value=ListValueNode(values=values))


def _values(
    places: Sequence[ComputedPlace], ids: Mapping[int, Mapping[str, None]], data: Mapping[str, Any]
) -> dict[bytes, bytes]:
    """Return the JSON of each place, by what stands between its marks."""
    values: dict[bytes, bytes] = {}
    for number, found in ids.items():
        place = places[number]
        if place.type_name is None:
            values[f"{number}:".encode()] = orjson.dumps(data[place.key])
            continue
        for chunk, some in enumerate(_chunks(list(found))):
            for id, node in zip(some, data[_alias(number, chunk)], strict=True):
                if node is None:
                    raise NotCompiled("an object has gone meanwhile")
                values[f"{number}:{id}".encode()] = orjson.dumps(node[place.key])
    return values


def _alias(number: int, chunk: int) -> str:
    return f"place{number}_{chunk}"


def _chunks(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]
