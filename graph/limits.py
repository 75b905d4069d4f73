"""Limits of one document, checked before it runs, and a cache of parsed and validated documents."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, specified_rules, validate
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.errors import QueryTooComplex
from graph.estimate import Estimate, estimate
from graph.measure import Measure, Walk
from graph.outline import Outline, outline_of
from graph.parsing import parse_document

# One tuple for the life of the process: a rule made for each request would defeat every cache.
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MOST_ERRORS = 5
_NO_SUCH_OPERATION = "The document has no operation of that name."


@dataclass(frozen=True)
class Limits:
    """The most that one document may contain, and the most that its answer may become.

    `cost` is the number of values in the largest answer that can come, heavy fields by their price; `size` is
    its bytes. `repeats` is the sum of squares of how often one field of one type appears under the same key:
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
    cost: int = 500_000
    size: int = 16_000_000
    repeats: int = 5_000
    introspection_depth: int = 20
    introspection_cost: int = 1_000_000


STANDARD = Limits()


@dataclass
class KnownDocument:
    """A valid document, the measures of its operations, and what is known of their answers.

    `outlines` and `estimates` are of the operations that were asked for, and of the numbers in the variables;
    `accepted` are those that pass whosever rows they read. `plans` are the compiler's, by the operation's
    name.
    """

    document: DocumentNode
    measures: dict[str | None, Measure]
    outlines: dict[str | None, Outline] = field(default_factory=dict)
    estimates: dict[tuple[str | None, tuple[int | None, ...]], Estimate] = field(default_factory=dict)
    accepted: dict[tuple[str | None, tuple[int | None, ...]], "CheckedOperation"] = field(
        default_factory=dict
    )
    plans: dict[str | None, Any] = field(default_factory=dict)


@dataclass
class KnownDocuments:
    """The most recent documents, by text, bounded in number and in characters; only valid ones are kept."""

    most: int = 512
    most_characters: int = 500_000
    most_estimates: int = 16
    most_outlines: int = 4
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
    """A document that may not run: its errors, of syntax, limits or validation, as GraphQL shows them.

    `too_large` says that it was refused for what its answer could become by its pages alone: checked again
    with its owner's rows, it may pass.
    """

    too_large = False

    def __init__(self, errors: Sequence[GraphQLError] = ()) -> None:
        super().__init__()
        self._errors = list(errors)

    @property
    def errors(self) -> list[GraphQLError]:
        """Return why it may not run."""
        return self._errors

    def __str__(self) -> str:
        return self.errors[0].message


class AnswerTooLarge(DocumentRefused):
    """A valid document whose answer could become larger than it may.

    Trees are refused so at first, each time that they are asked for: the error is made only for those that
    are refused in the end.
    """

    def __init__(self, found: Estimate, limits: Limits, *, too_large: bool) -> None:
        super().__init__()
        self._found = found
        self._limits = limits
        self.too_large = too_large

    @property
    def errors(self) -> list[GraphQLError]:
        """Return the limit that would be exceeded, and the figure."""
        found, limits = self._found, self._limits
        refused = _first_exceeded(
            (("cost", found.cost, limits.cost), ("answer size", found.size, limits.size))
        )
        return [] if refused is None else [refused]


@dataclass(frozen=True, slots=True)
class CheckedOperation:
    """A document with an operation that may run, and what that was measured and estimated as."""

    document: DocumentNode
    measure: Measure
    estimate: Estimate
    limits: Limits

    def report(self) -> dict[str, int]:
        """Return the figures as a client sees them in `extensions.cost`."""
        measure = self.measure
        return {
            "depth": max(measure.depth, measure.introspection_depth),
            "fields": measure.fields,
            "aliases": measure.aliases,
            "directives": measure.directives,
            "rootFields": measure.width,
            "cost": self.estimate.cost,
            "size": self.estimate.size,
            "introspectionCost": measure.introspection_cost,
            "maximumCost": self.limits.cost,
            "maximumSize": self.limits.size,
        }


@dataclass
class DocumentChecks:
    """Checks documents before they run: limits of the text, validation, and what the answer can become.

    It needs no Strawberry and no execution, so that every way into the server asks the same. What it finds is
    cached by the text.
    """

    schema: GraphQLSchema
    limits: Limits = STANDARD
    known: KnownDocuments = field(default_factory=KnownDocuments)

    def check(
        self,
        text: str,
        variables: Mapping[str, object] | None = None,
        operation_name: str | None = None,
        rows: Sequence[int] | None = None,
    ) -> CheckedOperation:
        """Return the operation that may run with these variables; parse and validate only what is new.

        Where its pages alone would exceed a limit, it is counted by the `rows` that its owner has, if given
        (RowCounts). Raise DocumentRefused, whose errors are a GraphQLSyntaxError, a QueryTooComplex, or what
        validation found.
        """
        known = self.known.find(text) or self._validated(text, None)
        return self._estimated(known, variables or {}, operation_name, rows)

    def validate(self, text: str, document: DocumentNode, operation_name: str | None) -> None:
        """Check all but what the answer can become, of a document that was parsed already.

        Raise DocumentRefused.
        """
        known = self.known.peek(text) or self._validated(text, document)
        if operation_name not in known.measures:
            _only_operation(known, operation_name)

    def _validated(self, text: str, document: DocumentNode | None) -> KnownDocument:
        known = self.examine(text, document)
        self.known.keep(text, known)
        return known

    def examine(self, text: str, document: DocumentNode | None = None) -> KnownDocument:
        """Parse, measure and validate a document, and keep nothing: this may run in another thread.

        It is measured first, in linear time, and only what is within the limits is validated. Raise
        DocumentRefused.
        """
        if document is None:
            try:
                document = parse_document(text, **parse_options(self.limits))
            except GraphQLError as error:
                raise DocumentRefused([error]) from None
        walk = Walk(self.schema, document)
        refused = refuse(walk, self.limits)
        if refused is not None:
            raise DocumentRefused([refused])
        if not walk.operations:
            raise DocumentRefused([GraphQLError(_NO_SUCH_OPERATION)])
        errors = validate(self.schema, document, RULES, max_errors=MOST_ERRORS, hide_suggestions=True)
        if errors:
            raise DocumentRefused(errors)
        return KnownDocument(document, dict(walk.operations))

    def _estimated(
        self,
        known: KnownDocument,
        variables: Mapping[str, object],
        name: str | None,
        rows: Sequence[int] | None,
    ) -> CheckedOperation:
        measure = known.measures.get(name)
        if measure is None:
            name, measure = _only_operation(known, name)
        outline = known.outlines.get(name) or self._outlined(known, name)
        key = name, outline.numbers(variables)
        accepted = known.accepted.get(key)
        if accepted is not None:
            return accepted
        found = known.estimates.get(key)
        if found is None:
            if len(known.estimates) >= self.known.most_estimates:
                known.estimates.clear()
                known.accepted.clear()
            found = known.estimates[key] = estimate(outline, key[1])
        # What an operation writes itself, or others while it streams, would not be among the rows.
        if not self._is_within(found) and rows is not None and outline.reads_only:
            found = estimate(outline, key[1], rows)
        if not self._is_within(found):
            raise AnswerTooLarge(found, self.limits, too_large=rows is None and outline.reads_only)
        accepted = CheckedOperation(known.document, measure, found, self.limits)
        if found is known.estimates.get(key):
            known.accepted[key] = accepted
        return accepted

    def _is_within(self, found: Estimate) -> bool:
        return found.cost <= self.limits.cost and found.size <= self.limits.size

    def _outlined(self, known: KnownDocument, name: str | None) -> Outline:
        if len(known.outlines) >= self.known.most_outlines:
            known.outlines.clear()
        outline = known.outlines[name] = outline_of(self.schema, known.document, name)
        return outline


def _only_operation(known: KnownDocument, name: str | None) -> tuple[str | None, Measure]:
    """Return the operation that runs without being named. Raise DocumentRefused if there are several."""
    if name is not None:
        raise DocumentRefused([GraphQLError(_NO_SUCH_OPERATION)])
    # graphql-core would run the first of several operations if none is named; the specification forbids it.
    if len(known.measures) > 1:
        message = "The document has several operations: name the one to run."
        raise DocumentRefused([GraphQLError(message)])
    ((only, measure),) = known.measures.items()
    return only, measure


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
    return _first_exceeded(figures)


def refuse_large(size: int, limits: Limits = STANDARD) -> QueryTooComplex | None:
    """Return an error if an answer of so many bytes is larger than it may be; None if it is not."""
    return _first_exceeded((("answer size", size, limits.size),))


def _first_exceeded(figures: Iterable[tuple[str, int, int]]) -> QueryTooComplex | None:
    for name, figure, limit in figures:
        if figure > limit:
            unit = " bytes" if name == "answer size" else ""
            message = f"The document is too complex: its {name} is {figure}{unit}, the limit is {limit}."
            return QueryTooComplex(message, measure=name, figure=figure, limit=limit)
    return None
