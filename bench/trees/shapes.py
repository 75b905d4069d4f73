"""The documents that are measured, one shape of a tree each.

The text is the same for every server but PostGraphile, whose lists are ordered by an argument and whose
objects are found by their own key; its answers are the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

POSITION = "id symbol quantity averageCost currentPrice marketValue unrealizedPnl weight"
_TRANSACTION = "id type symbol quantity price executedAt"
_ME = "id username"
_ACCOUNT = "id name currency cashBalance"
_PORTFOLIO = "id name cashBalance"

PAGES = 4
"""The pages of the one long list of the shape W."""
DEEP_PAGE = 20
LARGEST_PAGE = 500


@dataclass(frozen=True)
class Dialect:
    """What a server's documents add to say the order of a list, and how they ask for one portfolio."""

    by_id: str = ""
    by_symbol: str = ""
    newest_first: str = ""
    portfolio: str = "node(id: $id) {{ id ... on Portfolio {{ {} }} }}"
    id_type: str = "ID"
    cursor_type: str = "String"


STANDARD = Dialect()
POSTGRAPHILE = Dialect(
    by_id="orderBy: [KEY_ASC]",
    by_symbol="orderBy: [SYMBOL_ASC]",
    newest_first="orderBy: [EXECUTED_ON_DESC, KEY_DESC]",
    portfolio="node: portfolioByKey(key: $id) {{ id {} }}",
    id_type="UUID",
    cursor_type="Cursor",
)


@dataclass(frozen=True)
class Shape:
    """One document, and how it is measured."""

    key: str
    title: str
    document: str
    """The key of its text in `documents`."""
    users: str = "ordinary"
    """Whose tree is read: `ordinary` users in turn, or the one user of this name."""
    variables: tuple[str, ...] = ()
    """The names of its variables, which are cursors but for `id`."""
    connections: tuple[int, ...] = (1, 8, 16)
    """With how many connections at a time latency is measured."""
    token: str = "header"
    """Whether the peers are told the user by a `header`, or check a `token` as Graphfolio does always."""
    goal: float | None = None

    def text(self, dialect: Dialect = STANDARD) -> str:
        """Return the document."""
        return documents(dialect)[self.document]


def documents(dialect: Dialect) -> dict[str, str]:
    """Return the text of every document, in one server's dialect."""
    d = dialect
    positions = _list("positions", d.by_symbol, f"nodes {{ {POSITION} }}")
    page = f"edges {{ cursor node {{ {_TRANSACTION} }} }} pageInfo {{ hasNextPage }}"
    transactions = _list("transactions", f"first: {DEEP_PAGE} {d.newest_first}", page)
    after = f"first: {DEEP_PAGE} after: $after {d.newest_first}"
    deep = d.portfolio.format(_list("transactions", after, page))
    whole = f"first: {LARGEST_PAGE}"
    grown = _list("positions", f"{whole} {d.by_symbol}", f"nodes {{ {POSITION} }}")
    return {
        "T": "{ __typename }",
        "A": f"{{ me {{ {_ME} }} }}",
        "S": _tree(d, ""),
        "M": _tree(d, positions),
        "L": _tree(d, f"{positions} {transactions}"),
        "D": f"query ($id: {d.id_type}!, $after: {d.cursor_type}) {{ {deep} }}",
        "W": _wide(d),
        "G": _tree(d, grown, "first: 1", whole),
    }


def _list(name: str, arguments: str, selections: str) -> str:
    arguments = arguments.strip()
    return f"{name}{f'({arguments})' if arguments else ''} {{ {selections} }}"


def _tree(d: Dialect, extra: str, accounts: str = "", portfolios: str = "") -> str:
    below = _list("portfolios", f"{portfolios} {d.by_id}", f"nodes {{ {_PORTFOLIO} {extra} }}")
    above = _list("accounts", f"{accounts} {d.by_id}", f"nodes {{ {_ACCOUNT} {below} }}")
    return f"{{ me {{ {_ME} {above} }} }}"


def _wide(d: Dialect) -> str:
    pages = " ".join(
        f"p{number}: "
        + _list(
            "positions",
            f"first: {LARGEST_PAGE} {f'after: $after{number}' if number else ''} {d.by_symbol}",
            f"nodes {{ {POSITION} }}",
        )
        for number in range(PAGES)
    )
    below = _list("portfolios", f"first: 1 {d.by_id}", f"nodes {{ id name {pages} }}")
    above = _list("accounts", f"first: 1 {d.by_id}", f"nodes {{ id {below} }}")
    names = ", ".join(f"${name}: {d.cursor_type}" for name in WIDE)
    return f"query ({names}) {{ me {{ id {above} }} }}"


WIDE = tuple(f"after{number}" for number in range(1, PAGES))

SHAPES = (
    Shape("T", "`{ __typename }`", "T", goal=1.5),
    Shape("TT", "the same, the peers check the token too", "T", token="token", goal=1.5),
    Shape("A", "`me { id username }`", "A", goal=0.9),
    Shape("S", "S: %(objects)s objects", "S", goal=1.0),
    Shape("M", "M: %(positions)s positions x 8 fields", "M", goal=1.05),
    Shape("L", "L: M and %(transactions)s transactions", "L", goal=1.05),
    Shape("D", "D: 20 transactions after a cursor %(depth)s deep", "D", "deep", ("id", "after"), goal=1.1),
    Shape("W", "W: %(wide)s positions of one portfolio", "W", "wide", WIDE, goal=1.1),
    Shape("G", "%(grown)s positions", "G", "grown", connections=(1,), goal=1.1),
)
"""In the order of the table; the goals are multiples of the limit."""

BY_KEY = {shape.key: shape for shape in SHAPES}


def growth(sizes: Iterable[int]) -> list[Shape]:
    """Return the shapes by which growth is measured: an ordinary tree, and every position of larger users."""
    ordinary = replace(BY_KEY["M"], key="growth", connections=(1,))
    larger = [replace(BY_KEY["G"], key=f"growth {size}", users=f"grown{size}") for size in sizes]
    return [ordinary, *larger]
