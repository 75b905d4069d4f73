"""A row where it stands in a statement: what its columns are called there, and what is joined for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from db.entities import Entity

OWNER = "v.id"
"""The viewer, whom the statement's first part sets for row-level security; everything else is below it."""

_PARAMETER = re.compile(r"\$1\b")


def owned(sql: str) -> str:
    """Return SQL of an entity with the viewer in place of `$1`."""
    return _PARAMETER.sub(OWNER, sql)


def exported(named: Mapping[str, str]) -> str:
    """Return columns under the names that a page's subquery hands them out by."""
    return ", ".join(f"{sql} AS {name}" for name, sql in named.items())


@dataclass
class RowScope:
    """One row of an entity, with a number that sets it apart from all other rows of the statement.

    Below a page, `inside` names the tables whose columns the page's subquery hands out as columns of its own;
    elsewhere it is None. What else is needed is joined outside, after the page is cut, so that it is looked
    up only for the rows that are shown.
    """

    entity: Entity
    number: int
    inside: frozenset[str] | None = None
    parent: "RowScope | None" = None
    whole: str | None = None
    table: str | None = None
    exports: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    figures: dict[str, None] = field(default_factory=dict)
    shared: dict[str, "SharedList"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Learn the names of the tables that the entity's SQL may use."""
        names = ["t", *self.entity.listing.joins, *self.entity.laterals]
        self._column = re.compile(rf"\b({'|'.join(names)})\.(\w+)")

    def sql(self, expression: str) -> str:
        """Return an entity's SQL with the names that its tables have here; join what it needs."""
        return self._column.sub(self._named, owned(expression))

    def _named(self, found: re.Match[str]) -> str:
        alias, column = found[1], found[2]
        if alias == "t" and self.table is not None:
            return f"{self.table}.{column}"
        if self.inside is not None and alias in self.inside:
            self.exports[f"{alias}_{column}"] = f"{alias}.{column}"
            return f"x{self.number}.{alias}_{column}"
        if alias != "t" and alias not in self.outside:
            # Taken before it is written: a lateral may be joined on columns of another one.
            self.outside[alias] = ""
            self.outside[alias] = self._join(alias)
        return f"{alias}{self.number}.{column}"

    def _join(self, alias: str) -> str:
        name = f"{alias}{self.number}"
        if alias in self.entity.laterals:
            return f" CROSS JOIN LATERAL ({self.sql(self.entity.laterals[alias])}) {name}"
        join = self.entity.listing.joins[alias]
        on = self.sql(re.sub(rf"\b{alias}\.", f"{name}_.", join.on))
        # OFFSET 0 keeps it a look-up row by row, and the rows in their order.
        kind = "LEFT JOIN" if join.left else "JOIN"
        return f" {kind} LATERAL (SELECT * FROM {join.table} {name}_ WHERE {on} OFFSET 0) {name} ON true"

    @property
    def joined(self) -> str:
        """Return what is joined outside, in the order in which it was needed."""
        return "".join(self.outside.values())


@dataclass
class SharedList:
    """A list that must be read whole for its order, and of which an object shows several pages: read once."""

    name: str
    exports: dict[str, str] = field(default_factory=dict)
    template: str = ""
