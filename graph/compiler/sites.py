"""Where a document takes its values from: arguments and directives, evaluated once or for each request.

What is evaluated has a shape, which decides the statement, and a value, from which parameters are taken.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLField,
    Node,
    SelectionNode,
    Visitor,
    value_from_ast,
    visit,
)
from graphql.execution.values import VariableValues

from graph.compiler.describing import ArgumentsOf, Filters, ToMany
from graph.connections import page_of
from graph.errors import BadUserInput
from graph.ids import parse_global_id

Values = VariableValues | None

MOST_IDS = 50
"""The most ids of `nodes` that one statement looks up: each of them is a subquery of its own."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The shape and the value of one site, for some variables."""

    shape: Hashable
    value: Any


Site = Callable[[Values], Evaluated]
"""Evaluates; raises GraphQLError or a CodedError for a value that is not allowed."""


def has_variables(node: Node) -> bool:
    """Return whether any variable stands in a node of the document."""
    found = VariableFinder()
    visit(node, found)
    return found.any


class VariableFinder(Visitor):
    """Notes whether there is a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.any = False

    def enter_variable(self, *_: object) -> None:
        """Note it."""
        self.any = True


_PAGE_ARGUMENTS = ("first", "after", "last", "before")


def page_site(arguments: ArgumentsOf, node: FieldNode, definition: GraphQLField, to: ToMany) -> Site:
    """Return the site of a connection's arguments; its value is a `Page`."""
    filters: Filters = to.filters or _no_filters

    def evaluate(values: Values) -> Evaluated:
        given = arguments(node, definition, values)
        first, after, last, before = (given.pop(name, None) for name in _PAGE_ARGUMENTS)
        page = page_of(to.many.listing, first, after, last, before, filters(**given))
        names = tuple([name for name, _ in page.filters])
        return Evaluated((page.backward, page.after is None, page.before is None, names), page)

    return evaluate


def _no_filters() -> dict[str, object]:
    return {}


def variant_site(arguments: ArgumentsOf, node: FieldNode, definition: GraphQLField) -> Site:
    """Return the site of a field's only argument, an enum's value, which belongs to the shape."""

    def evaluate(values: Values) -> Evaluated:
        (value,) = arguments(node, definition, values).values()
        return Evaluated(value.value, None)

    return evaluate


def value_site(arguments: ArgumentsOf, node: FieldNode, definition: GraphQLField) -> Site:
    """Return the site of a field's only argument, whose value alone matters."""

    def evaluate(values: Values) -> Evaluated:
        (value,) = arguments(node, definition, values).values()
        return Evaluated(None, value)

    return evaluate


def ids_site(arguments: ArgumentsOf, node: FieldNode, definition: GraphQLField) -> Site:
    """Return the site of global ids: their types are the shape, the rows' ids the value."""

    def evaluate(values: Values) -> Evaluated:
        (given,) = arguments(node, definition, values).values()
        texts = [given] if isinstance(given, str) else given
        if len(texts) > MOST_IDS:
            raise BadUserInput(f"{len(texts)} ids are read one by one.")
        ids = [parse_global_id(text) for text in texts]
        return Evaluated(tuple([type_name for type_name, _ in ids]), [id for _, id in ids])

    return evaluate


def wanted_site(node: SelectionNode) -> Site:
    """Return the site of `@include` and `@skip`: whether the selection is wanted."""

    def evaluate(values: Values) -> Evaluated:
        wanted = True
        for directive in node.directives or ():
            if directive.name.value in ("include", "skip"):
                (argument,) = directive.arguments or ()
                is_true = value_from_ast(argument.value, GraphQLBoolean, values and values.coerced)
                wanted = wanted and is_true == (directive.name.value == "include")
        return Evaluated(wanted, None)

    return evaluate


def shapes(evaluated: Sequence[Evaluated]) -> tuple[Hashable, ...]:
    """Return the shape of a request."""
    return tuple([each.shape for each in evaluated])
