"""Whether a statement names the owner at each owned table, at every level of its nesting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp, parse

Level = exp.Select | exp.Update | exp.Delete


def unowned(sql: str, owners: Mapping[str, str]) -> list[str]:
    """Return the owned tables whose owner the SQL does not name, as `table (alias)`.

    `owners` has the owner's column of each owned table. A level of nesting is a SELECT, UPDATE or DELETE. It
    names a table's owner by equality with a parameter, or with the owner of another table of the same level
    that is named itself; correlation with a level outside is not enough, for a sharded database would ask
    all of its servers.

    An instrument is the market's or its owner's: a level that finds instruments by what they are called says
    whose they may be. Raises sqlglot's ParseError for what is no SQL.
    """
    return [
        missing
        for statement in parse(sql, read="postgres")
        if statement is not None
        for missing in _unowned(statement, owners)
    ]


def _unowned(statement: exp.Expr, owners: Mapping[str, str]) -> Iterator[str]:
    names = {table.alias for table in statement.find_all(exp.CTE)}
    for node in statement.find_all(exp.Select, exp.Update, exp.Delete, exp.Insert):
        if isinstance(node, exp.Insert):
            yield from _insert(node, owners)
        else:
            assert isinstance(node, Level)
            yield from _Scope.of(node, owners, names).unnamed()
            if _is_anybodys(node):
                yield "instruments (by symbol)"


def _is_anybodys(node: Level) -> bool:
    tables = [source.name for source in _sources(node) if isinstance(source, exp.Table)]
    columns = [[one.name for one in each.find_all(exp.Column)] for each in _conditions(node)]
    is_by_name = any({"symbol", "isin", "former_symbols"} & set(names) for names in columns)
    return tables == ["instruments"] and is_by_name and not any("owner_id" in names for names in columns)


def _insert(node: exp.Insert, owners: Mapping[str, str]) -> Iterator[str]:
    target = node.this
    columns = [identifier.name for identifier in target.expressions] if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    if table.name in owners and owners[table.name] not in columns:
        yield f"{table.name} (inserted)"


@dataclass
class _Scope:
    """The tables of one level, and which of their owners are named."""

    tables: dict[str, str] = field(default_factory=dict)
    """The owner's column of each owned table, by alias."""

    names: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    equal: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, node: Level, owners: Mapping[str, str], common: set[str]) -> _Scope:
        scope = cls()
        for source in _sources(node):
            if isinstance(source, exp.Table) and source.name in owners and source.name not in common:
                scope.tables[source.alias_or_name] = owners[source.name]
                scope.names[source.alias_or_name] = source.name
        for condition in _conditions(node):
            scope._read(condition)
        for join in node.args.get("joins") or ():
            if any(column.name == "owner_id" for column in join.args.get("using") or ()):
                scope.equal += [(join.this.alias_or_name, other) for other in scope.tables]
        return scope

    def unnamed(self) -> list[str]:
        named = set(self.named)
        while more := {b for a, b in self.equal if a in named} | {a for a, b in self.equal if b in named}:
            if more <= named:
                break
            named |= more
        return [f"{self.names[alias]} ({alias})" for alias in self.tables if alias not in named]

    def _read(self, condition: exp.Expr) -> None:
        if not isinstance(condition, exp.EQ):
            return
        left, right = condition.left, condition.right
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for pair in zip(left.expressions, right.expressions, strict=True):
                self._equal(*pair)
        else:
            self._equal(left, right)

    def _equal(self, left: exp.Expr, right: exp.Expr) -> None:
        aliases = [alias for side in (left, right) if (alias := self._owner(side)) is not None]
        if len(aliases) == 2:
            self.equal.append((aliases[0], aliases[1]))
        elif aliases and (_is_parameter(left) or _is_parameter(right)):
            self.named.add(aliases[0])

    def _owner(self, side: exp.Expr) -> str | None:
        """Return the alias of the table whose owner's column this is."""
        if not isinstance(side, exp.Column):
            return None
        if side.table:
            return side.table if self.tables.get(side.table) == side.name else None
        owned = [alias for alias, column in self.tables.items() if column == side.name]
        return owned[0] if len(owned) == 1 else None


def _sources(node: Level) -> Iterator[exp.Expr]:
    if not isinstance(node, exp.Select):
        yield node.this
    start = node.args.get("from_") or node.args.get("from")
    if start is not None:
        yield start.this
        yield from (join.this for join in start.this.args.get("joins") or ())
    yield from node.args.get("using") or ()
    yield from (join.this for join in node.args.get("joins") or ())


def _conditions(node: Level) -> Iterator[exp.Expr]:
    where = node.args.get("where")
    if where is not None:
        yield from _conjuncts(where.this)
    start = node.args.get("from_") or node.args.get("from")
    inner = start.this.args.get("joins") or () if start is not None else ()
    for join in [*(node.args.get("joins") or ()), *inner]:
        if join.args.get("on") is not None:
            yield from _conjuncts(join.args["on"])


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    elif isinstance(condition, exp.Paren):
        yield from _conjuncts(condition.this)
    else:
        yield condition


def _is_parameter(side: exp.Expr) -> bool:
    while isinstance(side, exp.Cast | exp.Paren):
        side = side.this
    return isinstance(side, exp.Parameter | exp.Placeholder)
