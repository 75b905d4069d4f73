"""The elements of an Interactive Brokers Flex statement, one by one, with the line that each starts on.

`ibflex` makes values of their attributes. The XML itself is read here: ibflex would refuse the whole
statement for one attribute that it does not know, and a document type, which is where entities come from that
expand without end or read other files, is refused before anything is done with it.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element
from xml.parsers import expat

from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.flex_types import FlexParserError, Types, parse_data_element

SECTIONS = frozenset({"Trade", "Order", "CashTransaction", "CorporateAction", "Transfer", "SalesTax"})
"""The elements that say what moved. All others report or sum up what these say."""


@dataclass(frozen=True)
class FlexElement:
    """An element by its tag: what ibflex makes of it, or why it makes nothing."""

    line: int
    tag: str
    values: Any
    error: str | None


def read_elements(data: bytes) -> Iterator[FlexElement]:
    """The statement's elements in the order of the file. Raises TransactionFileError for any other file."""
    found = _parse(data)
    for line, tag, attributes in found:
        yield _convert(line, tag, attributes)


def _parse(data: bytes) -> list[tuple[int, str, dict[str, str]]]:
    found: list[tuple[int, str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    tags: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not tags and tag != "FlexQueryResponse":
            raise TransactionFileError("The XML is no Flex statement: its root is not FlexQueryResponse.")
        tags.append(tag)
        if tag in SECTIONS:
            found.append((parser.CurrentLineNumber, tag, attributes))

    def refuse(*declaration: object) -> None:
        raise TransactionFileError("The XML declares a document type, which no Flex statement does.")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise TransactionFileError(f"The XML is broken: {error}.") from None
    except (LookupError, ValueError) as error:
        raise TransactionFileError(f"The XML cannot be read: {error}.") from None
    return found


def _convert(line: int, tag: str, attributes: dict[str, str]) -> FlexElement:
    known = {name: value for name, value in attributes.items() if name in _annotations(tag)}
    try:
        with warnings.catch_warnings(action="ignore"):
            return FlexElement(line, tag, parse_data_element(Element(tag, known)), None)
    except FlexParserError as error:
        return FlexElement(line, tag, None, str(error))


def _annotations(tag: str) -> dict[str, Any]:
    # Interactive Brokers adds attributes now and then; one that is new changes nothing about the others.
    found: dict[str, Any] = getattr(Types, tag).__annotations__
    return found
