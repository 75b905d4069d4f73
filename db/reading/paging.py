"""Write a page of a list: the rows, their cursors, what is told of the page, and the total."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from db.entities import Entity, Many
from db.pages import Key, plain_text
from db.reading.scope import OWNER, RowScope, SharedList, exported, owned
from db.reading.selection import (
    Constant,
    Cursor,
    Edges,
    Kind,
    Nodes,
    Object,
    PageFact,
    PageFacts,
    Parameter,
    SelectedPage,
    TotalCount,
    Value,
)
from db.reading.text import Part, concatenated, constant, cursor, expression

_KINDS: Mapping[Callable[[str], object], Kind] = {
    dt.datetime.fromisoformat: Kind.INSTANT,
    dt.date.fromisoformat: Kind.DATE,
    plain_text: Kind.WORD,
}
_OF_A_ROW = re.compile(r"\b([a-z]\d+)\.")


class ObjectWriter(Protocol):
    """What writes the objects in a page, and keeps the statement's parameters."""

    entities: Mapping[str, Entity]
    numbers: Iterator[int]

    def parameter(self, parameter: Parameter) -> str:
        """Return the name of a new parameter."""

    def object(self, scope: RowScope, selected: Object) -> list[Part]:
        """Return the JSON of a row's object."""


def write_page(writer: ObjectWriter, parent: RowScope | None, many: Many, page: SelectedPage) -> list[Part]:
    """Return the JSON of a connection."""
    return _PageWriter(writer, parent, many, page).write()


@dataclass
class _PageWriter:
    writer: ObjectWriter
    parent: RowScope | None
    many: Many
    page: SelectedPage
    where: str = ""
    needed: str = ""
    row: RowScope = field(init=False)
    shared: SharedList | None = None
    facts: frozenset[PageFact] = frozenset()
    limit: str = ""

    def __post_init__(self) -> None:
        """Decide what the page's subquery has to hand out."""
        listing, page = self.many.listing, self.page
        entity = self.writer.entities[self.many.entity]
        self.facts = frozenset(
            fact
            for _, entry in page.entries
            if isinstance(entry, PageFacts)
            for _, fact in entry.entries
            if isinstance(fact, PageFact)
        )
        conditions = [listing.condition] if listing.condition else []
        if listing.owner is not None:
            conditions.append(listing.owned_by(OWNER))
        if self.parent is not None and listing.parent is not None:
            conditions.append(f"{listing.parent} = {self.parent.sql(self.many.parent)}")
        # A parameter that stands nowhere is an error.
        for name, parameter in page.filters if self._reads else ():
            conditions.append(listing.filters[name].format(self.writer.parameter(parameter)))
        self.where = owned(" AND ".join(conditions) or "true")
        whole = self._whole(entity) if self.parent is not None and not page.filters else None
        self.shared = self.parent.shared.get(page.relation) if self.parent is not None else None
        self.needed = " ".join([self.where, *(key.sql for key in listing.order), whole or ""])
        inside = frozenset(
            ["t", *(name for name in listing.joins if self.shared or _names(name, self.needed))]
        )
        self.row = RowScope(entity, next(self.writer.numbers), inside, parent=self.parent, whole=whole)
        if self.shared is not None:
            self.row.exports = self.shared.exports

    def _whole(self, entity: Entity) -> str | None:
        """Return the aggregate over the whole list that a selected figure is a share of."""
        objects = [entry.object for _, entry in self.page.entries if isinstance(entry, Nodes)]
        for _, entry in self.page.entries:
            if isinstance(entry, Edges):
                objects += [each for _, each in entry.entries if isinstance(each, Object)]
        for selected in objects:
            for _, value in selected.entries:
                figure = entity.figures.get(value.field) if isinstance(value, Value) else None
                if figure is not None and figure.whole is not None:
                    return figure.whole
        return None

    @property
    def _reads(self) -> bool:
        """Return whether anything of the list is read, for its rows or for its total."""
        return self._has_rows or any(isinstance(entry, TotalCount) for _, entry in self.page.entries)

    @property
    def _has_rows(self) -> bool:
        rows = any(isinstance(entry, Nodes | Edges) for _, entry in self.page.entries)
        return rows or self._has_more or self._has_cursors

    @property
    def _has_cursors(self) -> bool:
        """Return whether the page tells the cursors of its ends, which takes the rows in their order."""
        return bool(self.facts & {PageFact.START_CURSOR, PageFact.END_CURSOR})

    @property
    def _has_more(self) -> bool:
        """Return whether one row more than the page has to be read, to see whether there is one."""
        more = PageFact.HAS_PREVIOUS if self.page.backward else PageFact.HAS_NEXT
        return more in self.facts

    def write(self) -> list[Part]:
        parts = constant("{")
        for number, (key, entry) in enumerate(self.page.entries):
            parts += constant(f'{"," if number else ""}"{key}":')
            match entry:
                case Constant():
                    parts += constant(entry.json)
                case Nodes():
                    parts += self._all_of(self.writer.object(self.row, entry.object))
                case Edges():
                    parts += self._all_of(self._edge(entry))
                case PageFacts():
                    parts += self._page_info(entry)
                case TotalCount():
                    # Its own subquery names the parameters of the filters, and none of the page's.
                    source = self._source(self.where)
                    parts += expression(f"(SELECT count(*) FROM {source} WHERE {self.where})::text")
        text = concatenated([*parts, *constant("}")])
        if not self._has_rows:
            # Without an aggregate there must be no rows: none of them would be no text.
            return expression(f"({text})")
        base, text = self._once(self._rows(), text)
        return expression(f"(SELECT {text} FROM ({base}) x{self.row.number}{self.row.joined})")

    def _edge(self, edges: Edges) -> list[Part]:
        parts = constant("{")
        for number, (key, entry) in enumerate(edges.entries):
            parts += constant(f'{"," if number else ""}"{key}":')
            match entry:
                case Constant():
                    parts += constant(entry.json)
                case Cursor():
                    parts += [*constant('"'), *expression(self._cursor()), *constant('"')]
                case Object():
                    parts += self.writer.object(self.row, entry)
        return parts + constant("}")

    def _cursor(self) -> str:
        listing = self.many.listing
        return cursor(listing.name, [(self.row.sql(key.sql), _kind_of(key)) for key in listing.order])

    def _all_of(self, item: list[Part]) -> list[Part]:
        text = concatenated(item)
        if f"x{self.row.number}." not in text:
            # An aggregate of outer columns alone would belong to the query further out.
            text += f"||left({self.row.sql(self.many.listing.order[-1].sql)}::text,0)"
        gathered = f"string_agg({text},','{self._order}){self._shown()}"
        return [*constant("["), *expression(f"coalesce({gathered},'')"), *constant("]")]

    @property
    def _order(self) -> str:
        # PostgreSQL sorts the input of all aggregates for the first that has an order: all name it, or none.
        if self.page.backward:
            return " ORDER BY n DESC"
        return " ORDER BY n" if self._has_cursors else ""

    def _shown(self) -> str:
        """Return the filter that leaves out the one row more."""
        return f" FILTER (WHERE n <= {self._size(0)})" if self._has_more else ""

    def _size(self, more: int) -> str:
        if isinstance(self.page.size, int):
            return str(self.page.size + more)
        if not self.limit:
            self.limit = self.writer.parameter(self.page.size)
        return f"({self.limit}::int + {more})" if more else f"{self.limit}::int"

    def _page_info(self, info: PageFacts) -> list[Part]:
        parts = constant("{")
        for number, (key, entry) in enumerate(info.entries):
            parts += constant(f'{"," if number else ""}"{key}":')
            parts += constant(entry.json) if isinstance(entry, Constant) else self._fact(entry)
        return parts + constant("}")

    def _fact(self, fact: PageFact) -> list[Part]:
        page = self.page
        if fact in (PageFact.START_CURSOR, PageFact.END_CURSOR):
            way = "" if (fact is PageFact.START_CURSOR) != page.backward else " DESC"
            first = f"(array_agg({self._cursor()} ORDER BY n{way}){self._shown()})[1]"
            return expression(f"coalesce('\"'||{first}||'\"','null')")
        if (fact is PageFact.HAS_PREVIOUS) != page.backward:
            given = page.before if page.backward else page.after
            return constant("true" if given is not None else "false")
        return expression(f"(count(*) > {self._size(0)})::text")

    def _source(self, used: str) -> str:
        """Return the table with those of its joins that this SQL names."""
        listing = self.many.listing
        joins = (
            f" {'LEFT ' if join.left else ''}JOIN {join.table} {name} ON {join.on}"
            for name, join in listing.joins.items()
            if _names(name, used)
        )
        return f"{listing.table} t{''.join(joins)}"

    def _rows(self) -> str:
        """Return the subquery of the page's rows, with the columns that are asked for."""
        listing, page, row, shared = self.many.listing, self.page, self.row, self.shared
        keys = [key.sql for key in listing.order]
        flat = [key.replace(".", "_") for key in keys]
        row.exports.update(zip(flat, keys, strict=True))
        inside = " ".join(f"{name}." for name in row.inside or ())
        source, where, chosen = self._source(f"{self.needed} {inside}"), self.where, "*"
        if shared is not None or row.whole is not None:
            exports = row.exports if row.whole is None else {**row.exports, "whole": row.whole}
            if shared is not None:
                shared.exports.update(exports)
                shared.template = f"SELECT {{columns}} FROM {source} WHERE {where}"
                source = shared.name
            else:
                source = f"(SELECT {exported(exports)} FROM {source} WHERE {where}) y"
            where, keys = "true", flat
        else:
            chosen = exported(row.exports)
        for bound, is_after in ((page.after, True), (page.before, False)):
            if bound is not None:
                values = ", ".join(self.writer.parameter(parameter) for parameter in bound)
                comparison = ">" if is_after != listing.descending else "<"
                where += f" AND ({', '.join(keys)}) {comparison} ({values})"
        way = " DESC" if listing.descending != page.backward else ""
        order = ", ".join(key + way for key in keys)
        limit = self._size(1 if self._has_more else 0)
        base = f"SELECT {chosen} FROM {source} WHERE {where} ORDER BY {order} LIMIT {limit}"
        if self._has_more or page.backward or self._has_cursors:
            return f"SELECT *, row_number() OVER () AS n FROM ({base}) b{row.number}"
        return base

    def _once(self, base: str, text: str) -> tuple[str, str]:
        """Return both with figures that stand in the text several times computed once, below it."""
        once: dict[str, str] = {}
        own = f"x{self.row.number}"
        for sql in sorted(self.row.figures, key=len, reverse=True):
            if "(" in sql and text.count(sql) > 1 and set(_OF_A_ROW.findall(sql)) == {own}:
                name = f"c{len(once)}"
                once[name] = sql
                text = text.replace(sql, f"{own}.{name}")
        if once:
            base = f"SELECT *, {exported(once)} FROM ({base}) {own} OFFSET 0"
        return base, text


def _names(alias: str, sql: str) -> bool:
    return re.search(rf"\b{alias}\.", sql) is not None


def _kind_of(key: Key) -> Kind:
    return _KINDS.get(key.parse, Kind.INT if key.parse is int else Kind.TEXT)
