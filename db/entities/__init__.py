"""What can be read of one kind of row: its columns, what is computed beside them, and where it leads.

In all SQL of an entity `t` is its table, the names of its listing's joins and of `laterals` are what they
say, and `$1` is the owner. Relations name the other entity, so that entities of different files can refer to
each other; `db.reading.catalog` has all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.pages import Listing


@dataclass(frozen=True)
class Figure:
    """A value computed in SQL.

    `variants` has the SQL by the value of the field's only argument. `whole` is an aggregate over the whole
    list that the row belongs to; below a list `share` is used instead of `sql`, in which `{whole}` stands for
    the aggregate and `{parent.x}` for a column of the parent's table.
    """

    sql: str
    variants: Mapping[str, str] = field(default_factory=dict)
    whole: str | None = None
    share: str | None = None


@dataclass(frozen=True)
class One:
    """The row of another entity whose `key` equals `on`; `optional` says that there may be none.

    `condition`, in the other entity's SQL, says what else it has to meet.
    """

    entity: str
    on: str
    key: str = "t.id"
    optional: bool = False
    condition: str | None = None


@dataclass(frozen=True)
class Many:
    """A list that is paged through: another entity's rows as this listing finds them by their parent."""

    entity: str
    listing: Listing[Any]
    parent: str = "t.id"


@dataclass(frozen=True)
class Few:
    """A short list, read whole: rows of another entity in this order.

    `{t}` is the other entity's table in `where`, `order` and `source`, all of which may name anything of the
    row that has the list. `source` replaces what the entity reads from, for rows that are no table's. The
    list is null where `unless` is true.
    """

    entity: str
    order: str
    where: str = "true"
    source: str | None = None
    unless: str | None = None


@dataclass(frozen=True)
class Entity:
    """One kind of row, and all that can be read of it.

    `laterals` are rows computed beside a row: subqueries, each of them joined only where a figure needs it.
    `lookups` are the conditions by which a single row is found, with `{}` for the value; `id` always is one.
    `owner` names the column of the owner where the listing has none.
    """

    listing: Listing[Any]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    laterals: Mapping[str, str] = field(default_factory=dict)
    ones: Mapping[str, One] = field(default_factory=dict)
    lists: Mapping[str, Many] = field(default_factory=dict)
    few: Mapping[str, Few] = field(default_factory=dict)
    lookups: Mapping[str, str] = field(default_factory=dict)

    owner: str | None = None

    def owned_by(self, owner: str) -> str | None:
        """Return the condition that this owner may see a row; None for rows that belong to everybody.

        `owner` of the entity names the column where its listing has none.
        """
        if self.owner is not None:
            return f"{self.owner} = {owner}"
        return None if self.listing.owner is None else self.listing.owned_by(owner)


def derived(columns: Mapping[str, str], source: str = "", owner: str | None = None) -> Listing[object]:
    """Return a listing of rows that are read only as part of a tree, and so have no order of their own.

    `source` may be left out if whatever leads to the rows says what they are read from.
    """
    return Listing(row=object, name="", columns=columns, table=source, order=(), owner=owner)
