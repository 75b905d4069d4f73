"""Limits of one document, checked before it runs, and a cache of parsed and validated documents."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import DocumentNode, GraphQLError, GraphQLSchema, specified_rules, validate
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.execution import ParseOptions

from graph.errors import QueryTooComplex
from graph.measure import Measure, Walk, number_of

# One tuple for the life of the process: a rule made for each request would defeat every cache.
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MOST_ERRORS = 5


@dataclass(frozen=True)
class Limits:
    """The most that one document may contain.

    `cost` is the number of values in the largest possible answer, from `first` and `last` or the default
    page. `repeats` is the sum of squares of how often one field of one type appears under the same key:
    checking that such fields can be merged is quadratic. Introspection is counted separately from data.
    """

    tokens: int = 4_000
    comments: int = 1_000
    definitions: int = 100
    depth: int = 20
    fields: int = 600
    aliases: int = 100
    directives: int = 100
    root_fields: int = 20
    cost: int = 5_000_000
    repeats: int = 5_000
    introspection_depth: int = 20
    introspection_cost: int = 1_000_000


STANDARD = Limits()


@dataclass
class KnownDocument:
    """A valid document, and its measures by the numbers in the variables that decide them."""

    document: DocumentNode
    consulted: tuple[str, ...]
    reports: dict[tuple[int | None, ...], dict[str | None, dict[str, int]]]


@dataclass
class KnownDocuments:
    """The most recent documents, by text, bounded in number and in characters; only valid ones are kept."""

    most: int = 512
    most_characters: int = 500_000
    most_reports: int = 16
    characters: int = 0
    hits: int = 0
    _kept: OrderedDict[str, KnownDocument] = field(default_factory=OrderedDict)

    def find(self, text: str) -> KnownDocument | None:
        """Return a cached document and make it the most recently used; None if it is not cached."""
        known = self._kept.get(text)
        if known is not None:
            self.hits += 1
            self._kept.move_to_end(text)
        return known

    def peek(self, text: str) -> KnownDocument | None:
        """Return a cached document without counting it as used."""
        return self._kept.get(text)

    def keep(self, text: str, known: KnownDocument) -> None:
        """Cache a valid document, and drop the least recently used ones if there is no more room."""
        if text in self._kept:
            return
        self._kept[text] = known
        self.characters += len(text)
        while self.characters > self.most_characters or len(self._kept) > self.most:
            dropped, _ = self._kept.popitem(last=False)
            self.characters -= len(dropped)


class DocumentLimits(SchemaExtension):
    """Limits a document before it runs, validates it, and reports its cost in the answer's extensions.

    It has no `resolve` hook: an asynchronous one makes every field six times slower.
    """

    def __init__(self, limits: Limits = STANDARD, known: KnownDocuments | None = None) -> None:
        self._limits = limits
        self._documents = KnownDocuments() if known is None else known
        self._known: KnownDocument | None = None
        self._reports: dict[str | None, dict[str, int]] = {}

    def on_parse(self) -> Iterator[None]:
        """Use the cached document if there is one, or limit the parser."""
        execution = self.execution_context
        execution.parse_options = cast(ParseOptions, parse_options(self._limits))
        self._known = self._documents.find(execution.query or "")
        if self._known is not None:
            execution.graphql_document = self._known.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Measure first, in linear time, and validate only what is within the limits."""
        execution = self.execution_context
        schema: GraphQLSchema = execution.schema._schema
        document = execution.graphql_document
        assert document is not None
        errors = self._check(schema, document, execution.variables or {})
        # Strawberry would run the first of several operations if none is named; the specification forbids it.
        if not errors and len(self._reports) > 1 and execution._provided_operation_name is None:
            errors = [GraphQLError("The document has several operations: name the one to run.")]
        execution.pre_execution_errors = errors
        yield

    def get_results(self) -> dict[str, Any]:
        """Report what the operation that ran was counted as."""
        if not self._reports:
            return {}
        name = self.execution_context.operation_name
        return {"cost": self._reports[name]} if name in self._reports else {}

    def _check(
        self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]
    ) -> list[GraphQLError]:
        known = self._known
        if known is not None:
            numbers = tuple(number_of(variables.get(name)) for name in known.consulted)
            if numbers in known.reports:
                self._reports = known.reports[numbers]
                return []
        walk = Walk(schema, document, variables)
        self._reports = {name: self._report(measure) for name, measure in walk.operations}
        domain_error = refuse(walk, self._limits)
        if domain_error is not None:
            return [domain_error]
        if known is None:
            errors = validate(schema, document, RULES, max_errors=MOST_ERRORS, hide_suggestions=True)
            if errors:
                return errors
            known = KnownDocument(document, tuple(sorted(walk.consulted)), {})
            self._documents.keep(self.execution_context.query or "", known)
        if len(known.reports) >= self._documents.most_reports:
            known.reports.clear()
        known.reports[walk.numbers()] = self._reports
        return []

    def _report(self, measure: Measure) -> dict[str, int]:
        return {
            "depth": max(measure.depth, measure.introspection_depth),
            "fields": measure.fields,
            "aliases": measure.aliases,
            "directives": measure.directives,
            "rootFields": measure.width,
            "cost": measure.cost,
            "introspectionCost": measure.introspection_cost,
            "maximumCost": self._limits.cost,
        }


def parse_options(limits: Limits) -> dict[str, Any]:
    """Return the parser's options, which make it stop at the limits."""
    return {"max_lexical_tokens": limits.tokens, "max_comments": limits.comments}


def refuse(walk: Walk, limits: Limits) -> QueryTooComplex | None:
    """Return an error with the first limit that the document exceeds, and its figure; None if within all."""
    measures = [measure for _, measure in walk.operations]
    everything = [*measures, *walk.fragments.values()]
    if walk.too_nested:
        return QueryTooComplex("The fragments of the document are nested too deeply.", measure="nesting")
    figures = (
        ("number of definitions", len(walk.document.definitions), limits.definitions),
        ("depth", max((m.depth for m in everything), default=0), limits.depth),
        ("fields", max((m.fields for m in everything), default=0), limits.fields),
        ("aliases", max((m.aliases for m in everything), default=0), limits.aliases),
        ("directives", max((m.directives for m in everything), default=0), limits.directives),
        ("root fields", max((m.width for m in measures), default=0), limits.root_fields),
        ("cost", max((m.cost for m in everything), default=0), limits.cost),
        (
            "introspection depth",
            max((m.introspection_depth for m in everything), default=0),
            limits.introspection_depth,
        ),
        (
            "introspection cost",
            max((m.introspection_cost for m in everything), default=0),
            limits.introspection_cost,
        ),
        ("repeats", walk.repeats, limits.repeats),
    )
    for name, figure, limit in figures:
        if figure > limit:
            message = f"The document is too complex: its {name} is {figure}, the limit is {limit}."
            return QueryTooComplex(message, measure=name, figure=figure, limit=limit)
    return None
