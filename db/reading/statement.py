"""Write the one statement that answers a selection with its JSON text.

Everything hangs below a first part that sets the viewer for row-level security, as scalar subqueries: a flat
join would be read before the viewer is set. The owner is named at every level. See docs/compiler.md.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from db.entities import Entity, Few, Many
from db.reading.paging import write_page
from db.reading.scope import OWNER, RowScope, SharedList, exported, owned
from db.reading.selection import (
    Constant,
    Entry,
    FoundRow,
    GlobalId,
    Kind,
    Object,
    OwnRow,
    Parameter,
    Place,
    Related,
    Root,
    RootEntry,
    SelectedPage,
    Several,
    ShortList,
    Value,
)
from db.reading.text import (
    INSTANT,
    MARK,
    MISSING,
    Part,
    concatenated,
    constant,
    expression,
    global_id,
    quoted,
    value,
)

_VIEWER = (
    "WITH v AS MATERIALIZED (SELECT set_config('app.user_id', $1, true)::uuid AS id, "
    "set_config('app.administrator', '', true), set_config('app.market', '', true)) "
)
# The login still stands; see `db.auth.queries`. `u` is the viewer's own row.
_LOGIN = (
    f"users u JOIN refresh_tokens login ON login.owner_id = {OWNER} AND login.id = $2 "
    f"AND login.revoked_at IS NULL WHERE u.id = {OWNER} AND u.is_active"
)


@dataclass(frozen=True)
class Statement:
    """A statement whose parameters are the viewer's id as text, the login's id, and then these.

    It returns one text, or null if the login has ended. `has_marks` says that the text may hold marks.
    """

    sql: str
    parameters: tuple[Parameter, ...]
    has_marks: bool


@dataclass
class Writer:
    """Writes one statement."""

    entities: Mapping[str, Entity]
    roots: Mapping[str, Many]
    parameters: list[Parameter] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    has_marks: bool = False

    def write(self, root: Root) -> Statement:
        """Return the statement of a whole answer."""
        viewer = RowScope(self.entities["users"], 0, table="u")
        parts = self._object(root.entries, lambda entry: self._root(viewer, entry))
        text = concatenated(parts)
        sql = f"{_VIEWER}SELECT (SELECT {text} FROM {_LOGIN}) FROM v"
        return Statement(sql, tuple(self.parameters), self.has_marks)

    def parameter(self, parameter: Parameter) -> str:
        """Return the name of a new parameter."""
        self.parameters.append(parameter)
        return f"${len(self.parameters) + 2}"

    def _object(
        self, entries: Sequence[tuple[str, object]], part_of: Callable[[Any], list[Part]]
    ) -> list[Part]:
        parts = constant("{")
        for number, (key, entry) in enumerate(entries):
            parts += constant(f'{"," if number else ""}"{key}":')
            parts += constant(entry.json) if isinstance(entry, Constant) else part_of(entry)
        return parts + constant("}")

    def _root(self, viewer: RowScope, entry: RootEntry) -> list[Part]:
        match entry:
            case OwnRow():
                return self.object(viewer, entry.object)
            case FoundRow():
                return self._found(entry)
            case Several():
                parts = constant("[")
                for number, found in enumerate(entry.found):
                    parts += constant("," if number else "") + self._found(found)
                return parts + constant("]")
            case SelectedPage():
                return write_page(self, None, self.roots[entry.relation], entry)
            case Place():
                self.has_marks = True
                return constant(f"{MARK}{entry.number}:{MARK}")
        raise AssertionError(entry)

    def object(self, scope: RowScope, selected: Object) -> list[Part]:
        """Return the JSON of a row's object."""
        before, scope.shared = scope.shared, self._shared(scope, selected)
        parts = self._object(selected.entries, lambda entry: self._entry(scope, entry))
        read = [
            f"{each.name} AS MATERIALIZED ({each.template.replace('{columns}', exported(each.exports))})"
            for each in scope.shared.values()
            if each.template
        ]
        scope.shared = before
        return expression(f"(WITH {', '.join(read)} SELECT {concatenated(parts)})") if read else parts

    def _shared(self, scope: RowScope, selected: Object) -> dict[str, SharedList]:
        pages = [entry for _, entry in selected.entries if isinstance(entry, SelectedPage)]
        shared = {}
        for name in {page.relation for page in pages}:
            same = [page for page in pages if page.relation == name]
            listing = scope.entity.lists[name].listing
            # An order by the table's own columns has an index that finds each page by itself.
            if len(same) > 1 and not any(page.filters for page in same):
                if any(not key.sql.startswith("t.") for key in listing.order):
                    shared[name] = SharedList(f"y{next(self.numbers)}")
        return shared

    def _entry(self, scope: RowScope, entry: Entry) -> list[Part]:
        entity = scope.entity
        match entry:
            case Value():
                return self._value(scope, entry)
            case GlobalId():
                id = scope.sql(self._sql(scope, entry.field))
                return global_id(entry.type_name, id, entry.nullable)
            case Place():
                self.has_marks = True
                key = scope.sql(self._sql(scope, entry.field))
                return constant(f"{MARK}{entry.number}:") + expression(f"({key})::text") + constant(MARK)
            case Related():
                one = entity.ones[entry.relation]
                to, row = self._row(one.entity)
                where = f"{row.sql(one.key)} = {scope.sql(one.on)}"
                where += f" AND {row.sql(one.condition)}" if one.condition else ""
                return self._single(to, row, where, entry.object, null="null" if one.optional else None)
            case ShortList():
                return self._listed(scope, entity.few[entry.relation], entry)
            case SelectedPage():
                return write_page(self, scope, entity.lists[entry.relation], entry)
        raise AssertionError(entry)

    def _row(self, entity_name: str) -> tuple[Entity, RowScope]:
        entity = self.entities[entity_name]
        return entity, RowScope(entity, next(self.numbers))

    def _found(self, found: FoundRow) -> list[Part]:
        entity, row = self._row(found.entity)
        lookup = entity.lookups.get(found.lookup, f"{entity.listing.id} = {{}}")
        where = row.sql(lookup).format(self.parameter(found.parameter))
        if found.marked:
            self.has_marks = True
        null = MISSING if found.marked else "null"
        return self._single(entity, row, where, found.object, null=null)

    def _single(
        self, entity: Entity, row: RowScope, where: str, selected: Object, *, null: str | None
    ) -> list[Part]:
        """Return one row's object; `null` is its JSON where there is no such row, None where there is one."""
        text = concatenated(self.object(row, selected))
        mine = entity.owned_by(OWNER)
        where += f" AND {row.sql(mine)}" if mine else ""
        source = f"{owned(entity.listing.table)} t{row.number}{row.joined}"
        sql = f"(SELECT {text} FROM {source} WHERE {where})"
        return expression(sql if null is None else f"coalesce({sql},{quoted(null)})")

    def _listed(self, scope: RowScope, few: Few, entry: ShortList) -> list[Part]:
        to, row = self._row(few.entity)
        each = entry.each
        parts = self.object(row, each) if isinstance(each, Object) else self._value(row, each)
        text = concatenated(parts)
        table = f"t{row.number}"
        source = few.source or f"{to.listing.table} {{t}}"
        where, order, source = (
            scope.sql(sql.replace("{t}", table)) for sql in (few.where, few.order, source)
        )
        mine = to.owned_by(OWNER)
        where += f" AND {row.sql(mine)}" if mine else ""
        sql = f"SELECT string_agg({text},',' ORDER BY {order}) FROM {source}{row.joined} WHERE {where}"
        items = [*constant("["), *expression(f"coalesce(({sql}),'')"), *constant("]")]
        if few.unless is None:
            return items
        unless = scope.sql(few.unless)
        return expression(f"CASE WHEN {unless} THEN 'null' ELSE {concatenated(items)} END")

    def _sql(self, scope: RowScope, name: str) -> str:
        figure = scope.entity.figures.get(name)
        return scope.entity.listing.columns[name] if figure is None else figure.sql

    def _value(self, scope: RowScope, wanted: Value) -> list[Part]:
        figure = scope.entity.figures.get(wanted.field)
        if figure is None:
            sql = scope.sql(scope.entity.listing.columns[wanted.field])
        elif wanted.variant is not None:
            sql = scope.sql(figure.variants[wanted.variant])
        elif figure.share is not None and scope.whole is not None:
            sql = self._share(scope, figure.share)
        else:
            sql = scope.sql(figure.sql)
        scope.figures[INSTANT(sql) if wanted.kind is Kind.INSTANT else sql] = None
        return value(wanted.kind, sql, wanted.nullable)

    def _share(self, scope: RowScope, share: str) -> str:
        parent = scope.parent
        assert parent is not None, "a list with shares has a parent"
        sql = re.sub(r"\{parent\.(\w+)\}", lambda found: parent.sql(f"t.{found[1]}"), share)
        before, _, after = sql.partition("{whole}")
        return f"{scope.sql(before)}x{scope.number}.whole{scope.sql(after)}"
