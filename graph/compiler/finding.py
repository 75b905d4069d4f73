"""Find what of an operation depends on its variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from graph.compiler.describing import Computed, Leaf, Readables, ToMany
from graph.compiler.sites import (
    Site,
    has_variables,
    ids_site,
    page_site,
    value_site,
    variant_site,
    wanted_site,
)


@dataclass
class SiteFinder:
    """Finds the sites of an operation whose values depend on variables, in a fixed order."""

    readables: Readables
    fragments: Mapping[str, FragmentDefinitionNode]
    sites: list[Site] = field(default_factory=list)
    number_of: dict[int, int] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def find(self, operation: OperationDefinitionNode) -> None:
        """Find them in `sites`, and their numbers by node in `number_of`."""
        self._walk(operation.selection_set, "Query")

    def _walk(self, selection_set: SelectionSetNode, type_name: str) -> None:
        for selection in selection_set.selections:
            if selection.directives and any(has_variables(each) for each in selection.directives):
                self._note(-id(selection), wanted_site(selection))
            if isinstance(selection, FieldNode):
                self._field(selection, type_name)
            elif isinstance(selection, FragmentSpreadNode):
                part = self.fragments[selection.name.value]
                on = part.type_condition.name.value
                if (selection.name.value, on) not in self._seen:
                    self._seen.add((selection.name.value, on))
                    self._walk(part.selection_set, on)
            elif isinstance(selection, InlineFragmentNode):
                on = selection.type_condition.name.value if selection.type_condition else type_name
                self._walk(selection.selection_set, on)

    def _field(self, node: FieldNode, type_name: str) -> None:
        type_ = self.readables.schema.get_type(type_name)
        definition = getattr(type_, "fields", {}).get(node.name.value)
        if definition is None:
            return
        described = self.readables.types.get(type_name)
        to = described.fields[node.name.value] if described else None
        if isinstance(to, Computed):
            return
        if any(has_variables(argument) for argument in node.arguments or ()):
            site = self._site(node, definition, type_name, to)
            if site is not None:
                self._note(id(node), site)
        if node.selection_set is not None:
            self._walk(node.selection_set, get_named_type(definition.type).name)

    def _site(self, node: FieldNode, definition: Any, type_name: str, to: object) -> Site | None:
        arguments = self.readables.arguments
        if isinstance(to, ToMany):
            return page_site(arguments, node, definition, to)
        if isinstance(to, Leaf):
            return variant_site(arguments, node, definition)
        name = node.name.value
        if type_name != "Query":
            return None
        if name in self.readables.lists:
            return page_site(arguments, node, definition, self.readables.lists[name])
        if name in self.readables.lookups:
            return value_site(arguments, node, definition)
        if name in ("node", "nodes"):
            return ids_site(arguments, node, definition)
        return None

    def _note(self, key: int, site: Site) -> None:
        if key not in self.number_of:
            self.number_of[key] = len(self.sites)
            self.sites.append(site)
