"""What is selected of the rows, as plain data: neither GraphQL nor SQL.

A selection is a tree of objects, values, related rows and pages of lists; its fields and relations are those
of `db.entities`. Whatever differs from one request to the next is a parameter: the selection only says which.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum, auto

Parameter = Hashable
"""What a parameter's value is taken from when the statement is sent; only the caller knows what it means."""


class Kind(StrEnum):
    """What JSON a column becomes."""

    DECIMAL = auto()
    INSTANT = auto()
    DATE = auto()
    TIME = auto()
    INT = auto()
    BOOL = auto()
    TEXT = auto()
    TEXTS = auto()
    WORD = auto()
    """Text in which JSON escapes no character."""


@dataclass(frozen=True)
class Constant:
    """JSON that is known already."""

    json: str


@dataclass(frozen=True)
class Value:
    """A column or a figure; `variant` chooses among a figure's variants."""

    field: str
    kind: Kind
    nullable: bool = False
    variant: str | None = None


@dataclass(frozen=True)
class GlobalId:
    """The id of an object of this type, from a column that holds its row's id."""

    type_name: str
    field: str = "id"
    nullable: bool = False


@dataclass(frozen=True)
class Place:
    """A mark where the caller puts a value afterwards: its number, and the row's key as text."""

    number: int
    field: str = "id"


@dataclass(frozen=True)
class Related:
    """One related row; null where there is none."""

    relation: str
    object: "Object"


@dataclass(frozen=True)
class ShortList:
    """A short list, read whole: an object or a value of each row."""

    relation: str
    each: "Object | Value"


@dataclass(frozen=True)
class Nodes:
    """The rows of a page."""

    object: "Object"


@dataclass(frozen=True)
class Cursor:
    """The position of a row in its list."""


@dataclass(frozen=True)
class Edges:
    """The rows of a page with their cursors: an entry is a constant, a cursor, or the row's own object."""

    entries: tuple[tuple[str, "Constant | Cursor | Object"], ...]


class PageFact(StrEnum):
    """What is told of a page itself."""

    HAS_NEXT = auto()
    HAS_PREVIOUS = auto()
    START_CURSOR = auto()
    END_CURSOR = auto()


@dataclass(frozen=True)
class PageFacts:
    """Facts about the page."""

    entries: tuple[tuple[str, Constant | PageFact], ...]


@dataclass(frozen=True)
class TotalCount:
    """The number of rows in the whole list, filtered."""


PageEntry = Constant | Nodes | Edges | PageFacts | TotalCount


@dataclass(frozen=True)
class SelectedPage:
    """A page of a list: up to `size` rows after and before these keys, from the end if `backward`."""

    relation: str
    size: int | Parameter
    backward: bool
    after: tuple[Parameter, ...] | None
    before: tuple[Parameter, ...] | None
    filters: tuple[tuple[str, Parameter], ...]
    entries: tuple[tuple[str, PageEntry], ...]


Entry = Constant | Value | GlobalId | Place | Related | ShortList | SelectedPage


@dataclass(frozen=True)
class Object:
    """An object with these entries, in this order."""

    entries: tuple[tuple[str, Entry], ...]


@dataclass(frozen=True)
class FoundRow:
    """A row that a lookup finds; null where the owner has none, with a mark for the caller if `marked`."""

    entity: str
    lookup: str
    parameter: Parameter
    object: Object
    marked: bool = False


@dataclass(frozen=True)
class Several:
    """A list of rows found one by one, in this order."""

    found: tuple[FoundRow, ...]


@dataclass(frozen=True)
class OwnRow:
    """The owner's own row."""

    object: Object


RootEntry = Constant | OwnRow | FoundRow | Several | SelectedPage | Place


@dataclass(frozen=True)
class Root:
    """The whole answer."""

    entries: tuple[tuple[str, RootEntry], ...]
