"""Writing JSON in SQL: constants and expressions that make one text.

JSON text holds no raw control character, so one can mark a place in it.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence

from db.reading.selection import Kind

MARK = "\x01"
"""Surrounds a place: its number, a colon, and the row's key."""
MISSING = "\x02"
"""Stands for a row that was asked for by its key and is not there."""

Part = tuple[bool, str]
"""A piece of text: whether it is an SQL expression, and the expression or the constant."""

INSTANT: Callable[[str], str] = """to_char({} AT TIME ZONE 'UTC','YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""".format
_PLAIN: Callable[[str], str] = "({})::text".format

# These need quotes around them, and hold nothing that JSON escapes.
_QUOTED: Mapping[Kind, Callable[[str], str]] = {
    Kind.DECIMAL: "trim_scale({})".format,
    Kind.WORD: "({})".format,
    Kind.INSTANT: INSTANT,
    Kind.DATE: _PLAIN,
    Kind.TIME: "to_char({},'HH24:MI')".format,
}
_BARE: Mapping[Kind, Callable[[str], str]] = {
    Kind.TEXT: "to_json({})::text".format,
    Kind.TEXTS: "array_to_json({})::text".format,
    Kind.INT: _PLAIN,
    Kind.BOOL: _PLAIN,
}


def constant(text: str) -> list[Part]:
    """Return a part that is known already."""
    return [(False, text)]


def expression(sql: str) -> list[Part]:
    """Return a part that PostgreSQL computes, as text that is not null."""
    return [(True, sql)]


def concatenated(parts: Iterable[Part]) -> str:
    """Return one SQL expression of all parts; constants that touch become one."""
    merged: list[Part] = []
    for is_sql, text in parts:
        if merged and not is_sql and not merged[-1][0]:
            merged[-1] = (False, merged[-1][1] + text)
        else:
            merged.append((is_sql, text))
    return _halves([text if is_sql else quoted(text) for is_sql, text in merged])


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    if MARK in text or MISSING in text or "\\" in text:
        escaped = text.replace("\\", "\\\\").replace("'", "''")
        return "E'" + escaped.replace(MARK, "\\x01").replace(MISSING, "\\x02") + "'"
    return "'" + text.replace("'", "''") + "'"


def _halves(texts: Sequence[str]) -> str:
    # A chain of || copies what it has so far at each step.
    if len(texts) < 4:
        return "||".join(texts)
    middle = len(texts) // 2
    return f"({_halves(texts[:middle])})||({_halves(texts[middle:])})"


def value(kind: Kind, sql: str, nullable: bool) -> list[Part]:
    """Return the JSON of an expression."""
    if kind in _BARE:
        text = _BARE[kind](sql)
        return expression(f"coalesce({text},'null')" if nullable else text)
    text = _QUOTED[kind](sql)
    if nullable:
        return expression(f"coalesce('\"'||{text}||'\"','null')")
    return [*constant('"'), *expression(text), *constant('"')]


def global_id(type_name: str, id: str, nullable: bool) -> list[Part]:
    """Return the JSON of a global id: base64 of `Type:uuid`, its first characters as a constant.

    57 bytes at the most are encoded, since encode() breaks longer lines.
    """
    ready = len(type_name + ":") // 3 * 3
    prefix = b64encode(f"{type_name}:"[:ready].encode()).decode()
    rest = f"{type_name}:"[ready:]
    encoded = f"encode(('{rest}'||{id})::bytea,'base64')"
    if nullable:
        return expression(f"coalesce('\"{prefix}'||{encoded}||'\"','null')")
    return [*constant(f'"{prefix}'), *expression(encoded), *constant('"')]


def cursor(name: str, keys: Sequence[tuple[str, Kind]]) -> str:
    """Return the expression of a row's cursor: base64 for addresses of `["name","key",...]`.

    Keys hold nothing that JSON escapes. Those of kind WORD may hold any letter; all others are ASCII, in
    which no three bytes become one of the two characters that differ in addresses.
    """
    texts = {Kind.INSTANT: INSTANT, Kind.WORD: "({})".format}
    parts = """||'","'||""".join(texts.get(kind, _PLAIN)(sql) for sql, kind in keys)
    text = f"""encode(('["{name}","'||{parts}||'"]')::bytea,'base64')"""
    if any(kind is Kind.WORD for _, kind in keys):
        return f"translate({text},E'+/\\n','-_')"
    longest = (
        len(name) + 4 + sum(3 + {Kind.INSTANT: 27, Kind.INT: 11, Kind.DATE: 10}.get(k, 36) for _, k in keys)
    )
    return text if longest <= 57 else f"replace({text},E'\\n','')"
