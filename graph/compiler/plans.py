"""Documents that are known: what an operation needs of its variables, and its statements by their shape."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    get_variable_values,
)
from graphql.execution.values import VariableValues

from db.entities import Entity, Many
from db.reading.selection import Constant
from db.reading.statement import Statement, Writer
from graph.compiler.describing import Readables
from graph.compiler.finding import SiteFinder
from graph.compiler.selecting import ComputedPlace, NotCompiled, Selecting
from graph.compiler.sites import Evaluated, Site, shapes
from graph.errors import CodedError

MOST_SHAPES = 16
_NO_VALUES: tuple[Evaluated, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledShape:
    """The statement of an operation for one shape of its variables, and the places that it leaves.

    Without a statement the whole answer is known: it is `constant`.
    """

    statement: Statement | None
    places: tuple[ComputedPlace, ...]
    constant: bytes = b""


@dataclass
class QueryPlan:
    """One operation of a document, planned once; `refused` says why it is not compiled at all."""

    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    sites: Sequence[Site] = ()
    number_of: Mapping[int, int] = field(default_factory=dict)
    refused: str | None = None
    shapes: dict[tuple[Hashable, ...], CompiledShape] = field(default_factory=dict)


@dataclass(frozen=True)
class Planner:
    """Plans operations, and finds the statement of a request."""

    readables: Readables
    entities: Mapping[str, Entity]
    roots: Mapping[str, Many]

    def plan(self, document: Any, operation_name: str | None) -> QueryPlan:
        """Return the plan of a valid document's operation."""
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        operation = next(
            each
            for each in operations
            if operation_name is None or (each.name and each.name.value == operation_name)
        )
        fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        if operation.operation is not OperationType.QUERY:
            return QueryPlan(operation, fragments, refused=f"a {operation.operation.value}")
        finder = SiteFinder(self.readables, fragments)
        finder.find(operation)
        return QueryPlan(operation, fragments, finder.sites, finder.number_of)

    def compiled(
        self, plan: QueryPlan, variables: Mapping[str, Any]
    ) -> tuple[CompiledShape, Sequence[object]]:
        """Return the statement of a request, and its parameters' values. Raise NotCompiled."""
        if plan.refused is not None:
            raise NotCompiled(plan.refused)
        evaluated = self._evaluate(plan, variables) if plan.sites else _NO_VALUES
        shape = shapes(evaluated)
        compiled = plan.shapes.get(shape)
        if compiled is None:
            compiled = self._compile(plan, evaluated)
            if len(plan.shapes) >= MOST_SHAPES:
                plan.shapes.clear()
            plan.shapes[shape] = compiled
        if compiled.statement is None:
            return compiled, ()
        return compiled, [take(evaluated) for take in compiled.statement.parameters]  # type: ignore[operator]

    def _evaluate(self, plan: QueryPlan, variables: Mapping[str, Any]) -> Sequence[Evaluated]:
        definitions = plan.operation.variable_definitions or ()
        values = get_variable_values(self.readables.schema, definitions, dict(variables), max_errors=1)
        if not isinstance(values, VariableValues):
            raise NotCompiled("a variable has a wrong value")
        try:
            return [site(values) for site in plan.sites]
        except (GraphQLError, CodedError, KeyError) as error:
            raise NotCompiled(f"an argument has a wrong value: {type(error).__name__}") from None

    def _compile(self, plan: QueryPlan, evaluated: Sequence[Evaluated]) -> CompiledShape:
        selecting = Selecting(self.readables, plan.fragments, plan.number_of, evaluated)
        try:
            root = selecting.select(plan.operation)
        except (GraphQLError, CodedError) as error:
            raise NotCompiled(f"an argument has a wrong value: {type(error).__name__}") from None
        if all(isinstance(entry, Constant) for _, entry in root.entries):
            pairs = (f'"{key}":{entry.json}' for key, entry in root.entries if isinstance(entry, Constant))
            return CompiledShape(None, (), f"{{{','.join(pairs)}}}".encode())
        statement = Writer(self.entities, self.roots).write(root)
        return CompiledShape(statement, tuple(selecting.places))
