"""A small owner in memory, and the schema answered from it: what a document really returns."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLResolveInfo,
    build_schema,
    execute,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
)

from db.row_counts import RowCounts
from graph.charges import ROWS

SCHEMA = build_schema((Path(__file__).parent.parent.parent / "schema.graphql").read_text(), assume_valid=True)

LISTS = {
    "User": {
        "accounts": "Account",
        "watchlists": "Watchlist",
        "alerts": "Alert",
        "alertRules": "AlertRule",
        "notificationDestinations": "NotificationDestination",
        "imports": "Import",
        "apiKeys": "ApiKey",
        "auditLog": "AuditEntry",
    },
    "Account": {"portfolios": "Portfolio", "transactions": "Transaction"},
    "Portfolio": {
        "positions": "Position",
        "transactions": "Transaction",
        "orders": "Order",
        "performanceHistory": "PerformanceSnapshot",
        "rebalances": "Rebalance",
    },
    "Position": {"lots": "Lot"},
    "Transaction": {"lotUses": "LotUse"},
    "Order": {"transactions": "Transaction"},
    "Rebalance": {"orders": "Order", "legs": "RebalanceLeg"},
    "Alert": {"deliveries": "Delivery"},
    "Watchlist": {"instruments": "Instrument"},
}
"""The lists of each type; an entry of one belongs to a single object of it."""

ONES = {
    "Account": {"owner": "User"},
    "Portfolio": {"account": "Account"},
    "Position": {"portfolio": "Portfolio", "instrument": "Instrument"},
    "Lot": {"transaction": "Transaction"},
    "LotUse": {"source": "Transaction"},
    "Transaction": {
        "account": "Account",
        "portfolio": "Portfolio",
        "order": "Order",
        "instrument": "Instrument",
        "reverses": "Transaction",
    },
    "Order": {"portfolio": "Portfolio", "instrument": "Instrument"},
    "Rebalance": {"portfolio": "Portfolio"},
    "RebalanceLeg": {"order": "Order", "instrument": "Instrument"},
    "Alert": {"portfolio": "Portfolio", "rule": "AlertRule", "instrument": "Instrument"},
    "AlertRule": {"portfolio": "Portfolio"},
    "Import": {"portfolio": "Portfolio"},
    "ApiKey": {"account": "Account"},
}
"""The objects that each type refers to."""

PARTS = {
    "Portfolio": {"explainRealizedPnl": "SalesExplanation"},
    "Position": {"explainUnrealizedPnl": "UnrealizedPnlExplanation"},
    "Transaction": {"explainRealizedPnl": "RealizedPnlExplanation"},
}
"""What an object is explained by, which has lists of its own."""

LISTS_OF_PARTS = {
    "SalesExplanation": {"sales": ("Portfolio", "transactions")},
    "UnrealizedPnlExplanation": {"lots": ("Position", "lots"), "transactions": ("Position", "lots")},
    "RealizedPnlExplanation": {"lotUses": ("Transaction", "lotUses")},
}


@dataclass
class Row:
    """One object, with the entries of its lists and what it refers to."""

    type: str
    id: str
    lists: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    ones: dict[str, Any] = field(default_factory=dict)


@dataclass
class Part:
    type: str
    of: Row


@dataclass
class Entries:
    """A connection's page, or an entry of it."""

    rows: list[Any]


class Owner:
    """A user with a few rows of each type, at random places."""

    def __init__(self, chance: random.Random) -> None:
        types = {child for lists in LISTS.values() for child in lists.values()} | {"Instrument"}
        self.rows = {
            type_: [Row(type_, f"{type_}:{n}") for n in range(chance.randint(0 if type_ > "Q" else 1, 4))]
            for type_ in sorted(types)
        }
        self.me = Row("User", "User:0")
        self.rows["User"] = [self.me]
        for parent, lists in LISTS.items():
            for name, child in lists.items():
                for row in self.rows[child]:
                    if self.rows[parent]:
                        chance.choice(self.rows[parent]).lists[name].append(row)
        for type_, ones in ONES.items():
            for row in self.rows[type_]:
                row.ones = {name: chance.choice(self.rows[of] or [None]) for name, of in ones.items()}

    def counts(self) -> RowCounts:
        """How many rows there are; each is in every list of its type once."""
        found = {type_: len(rows) for type_, rows in self.rows.items()}
        found["WatchedInstrument"] = sum(len(row.lists["instruments"]) for row in self.rows["Watchlist"])
        return RowCounts(*(found[type_] for type_, _ in sorted(ROWS.items(), key=lambda item: item[1])))

    def answer(self, document: str) -> dict[str, Any]:
        """What the document returns."""
        found = execute(SCHEMA, parse(document), self, field_resolver=_resolve, type_resolver=_type_of)
        assert isinstance(found, ExecutionResult)
        # What is missing nulls its parents, which makes an answer smaller only.
        return found.data or {}


def _type_of(value: Any, *_: object) -> str:
    type_: str = value.type
    return type_


def _resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    name, returned = info.field_name, get_named_type(info.return_type).name
    if isinstance(source, Owner):
        if name == "nodes":
            known = {row.id: row for rows in source.rows.values() for row in rows}
            return [known.get(id) for id in arguments["ids"]]
        return source.me if name == "me" else _page(source.rows["Instrument"], arguments)
    if isinstance(source, Entries):
        if name == "node":
            return source.rows[0]
        return [Entries([row]) for row in source.rows] if name == "edges" else source.rows
    if isinstance(source, Part):
        rows = source.of.lists[LISTS_OF_PARTS[source.type][name][1]]
        return _page(rows, arguments)
    if name in PARTS.get(source.type, ()):
        return Part(returned, source)
    if name in source.ones:
        return source.ones[name]
    if name == "id":
        return source.id
    is_list = is_list_type(get_nullable_type(info.return_type))
    return source.lists[name] if is_list else _page(source.lists[name], arguments)


def _page(rows: list[Any], arguments: dict[str, Any]) -> Entries:
    size = arguments.get("first") or arguments.get("last") or 50
    return Entries(rows[:size])


def values(answer: object) -> int:
    """Count the objects and the other values of an answer."""
    if isinstance(answer, dict):
        return 1 + sum(map(values, answer.values()))
    return sum(map(values, answer)) if isinstance(answer, list) else 1


def selection(chance: random.Random, type_: str, depth: int) -> str:
    """Return a random selection of a type: down its lists, and along its references in circles."""
    parts = ["__typename"]
    choices = [
        *(("list", name, child) for name, child in LISTS.get(type_, {}).items()),
        *(("one", name, of) for name, of in ONES.get(type_, {}).items()),
        *(("one", name, of) for name, of in PARTS.get(type_, {}).items()),
        *(
            ("list", name, LISTS[place[0]][place[1]])
            for name, place in LISTS_OF_PARTS.get(type_, {}).items()
            if place != ("Position", "lots") or name == "lots"
        ),
    ]
    for number in range(min(len(choices), chance.randint(1, 3)) if depth else 0):
        way, name, of = chance.choice(choices)
        alias = f"{name}{number}: "
        inner = selection(chance, of, depth - 1)
        if way == "one" or (type_, name) == ("Watchlist", "instruments"):
            parts.append(f"{alias}{name} {{ {inner} }}")
        else:
            size = chance.choice(["", "", "(first: 1)", "(last: 2)", "(first: 500)"])
            entries = chance.choice([f"nodes {{ {inner} }}", f"edges {{ node {{ {inner} }} }}"])
            parts.append(f"{alias}{name}{size} {{ {entries} }}")
    return " ".join(parts)


def document(chance: random.Random) -> str:
    """Return a random query."""
    match chance.randint(0, 3):
        case 0:
            ids = [f"{type_}:{chance.randint(0, 3)}" for type_ in ("Portfolio", "Account", "Position")]
            given = ", ".join(f'"{chance.choice(ids)}"' for _ in range(chance.randint(1, 6)))
            inside = " ".join(
                f"... on {type_} {{ {selection(chance, type_, 3)} }}" for type_ in ("Portfolio", "Account")
            )
            return f"{{ nodes(ids: [{given}]) {{ __typename {inside} }} }}"
        case 1:
            return f"{{ instruments {{ nodes {{ {selection(chance, 'Instrument', 1)} }} }} }}"
        case _:
            return f"{{ me {{ {selection(chance, 'User', 5)} }} }}"
