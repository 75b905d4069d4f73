"""Limits of one document, checked before it runs, and a cache of parsed and validated documents."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, specified_rules, validate
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

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
Report = dict[str, int]
Reports = dict[str | None, Report]


@dataclass
class KnownDocument:
    """A valid document, and its measures by the numbers in the variables that decide them."""

    document: DocumentNode
    consulted: tuple[str, ...]
    reports: dict[tuple[int | None, ...], Reports]


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


class DocumentRefused(Exception):
    """A document that may not run: its errors, of syntax, limits or validation, as GraphQL shows them."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Checked:
    """A document that may run, and what each of its operations was counted as, by the operation's name."""

    document: DocumentNode
    reports: Reports


@dataclass
class DocumentChecks:
    """Checks documents before they run: limits first, in linear time, then validation, both cached by text.

    It needs no Strawberry and no execution, so that every way into the server asks the same.
    """

    schema: GraphQLSchema
    limits: Limits = STANDARD
    known: KnownDocuments = field(default_factory=KnownDocuments)

    def check(
        self, text: str, variables: Mapping[str, object] | None = None, operation_name: str | None = None
    ) -> Checked:
        """Return a document that may run with these variables; parse it only if it is new.

        Raise DocumentRefused, whose errors are a GraphQLSyntaxError, a QueryTooComplex, or what validation
        found.
        """
        known = self.known.find(text)
        if known is None:
            try:
                document = parse(text, **parse_options(self.limits))
            except GraphQLError as error:
                raise DocumentRefused([error]) from None
        else:
            document = known.document
        return self.check_parsed(text, document, variables or {}, operation_name)

    def check_parsed(
        self,
        text: str,
        document: DocumentNode,
        variables: Mapping[str, object],
        operation_name: str | None = None,
    ) -> Checked:
        """Return what `check` returns, for a document that was parsed already. Raise DocumentRefused."""
        known = self.known.peek(text)
        reports = self._known_reports(known, variables)
        if reports is None:
            reports = self._measure(text, document, variables, known)
        # graphql-core would run the first of several operations if none is named; the specification forbids
        # it.
        if operation_name is None and len(reports) > 1:
            message = "The document has several operations: name the one to run."
            raise DocumentRefused([GraphQLError(message)])
        if operation_name is not None and operation_name not in reports:
            raise DocumentRefused([GraphQLError("The document has no operation of that name.")])
        return Checked(document, reports)

    def _known_reports(self, known: KnownDocument | None, variables: Mapping[str, object]) -> Reports | None:
        if known is None:
            return None
        return known.reports.get(tuple([number_of(variables.get(name)) for name in known.consulted]))

    def _measure(
        self,
        text: str,
        document: DocumentNode,
        variables: Mapping[str, object],
        known: KnownDocument | None,
    ) -> Reports:
        walk = Walk(self.schema, document, variables)
        refused = refuse(walk, self.limits)
        if refused is not None:
            raise DocumentRefused([refused])
        if known is None:
            errors = validate(self.schema, document, RULES, max_errors=MOST_ERRORS, hide_suggestions=True)
            if errors:
                raise DocumentRefused(errors)
            known = KnownDocument(document, tuple(sorted(walk.consulted)), {})
            self.known.keep(text, known)
        if len(known.reports) >= self.known.most_reports:
            known.reports.clear()
        reports = {name: self._report(measure) for name, measure in walk.operations}
        known.reports[walk.numbers()] = reports
        return reports

    def _report(self, measure: Measure) -> dict[str, int]:
        return {
            "depth": max(measure.depth, measure.introspection_depth),
            "fields": measure.fields,
            "aliases": measure.aliases,
            "directives": measure.directives,
            "rootFields": measure.width,
            "cost": measure.cost,
            "introspectionCost": measure.introspection_cost,
            "maximumCost": self.limits.cost,
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
