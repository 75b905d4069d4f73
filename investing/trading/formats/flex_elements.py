"""Read the elements of an Interactive Brokers Flex statement, with the line that each starts on.

`ibflex` makes values of their attributes. The XML itself is read here: ibflex would refuse the whole
statement for one attribute that it does not know. A document type, which is where entities come from that
expand without end or read other files, is refused before anything is done with it.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element
from xml.parsers import expat

from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.flex_types import FlexParserError, Types, parse_data_element

SECTIONS = frozenset({"Trade", "Order", "CashTransaction", "CorporateAction", "Transfer", "SalesTax"})
"""The elements that say what moved. All others report or sum up what these say."""


_FRAME = frozenset({"FlexQueryResponse", "FlexStatements", "FlexStatement"})
_Found = tuple[int, str, str, dict[str, str]]


@dataclass(frozen=True)
class FlexElement:
    """An element by its tag: the value that ibflex makes of it, or why it makes none.

    It has neither for a tag that is not read. `account` is the one that it belongs to, empty if the statement
    does not say.
    """

    number: int
    """Its place in the file."""
    line: int
    tag: str
    account: str
    attributes: Mapping[str, str]
    values: Any = None
    error: str | None = None


def read_elements(data: bytes) -> Iterator[FlexElement]:
    """Yield the statement's elements that are not empty, in the order of the file.

    Raise TransactionFileError for any other file.
    """
    return (_convert(number, *found) for number, found in enumerate(_parse(data)))


def _parse(data: bytes) -> list[_Found]:
    found: list[_Found] = []
    parser = expat.ParserCreate()
    tags: list[str] = []
    account = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal account
        if not tags and tag != "FlexQueryResponse":
            raise TransactionFileError("The XML is no Flex statement: its root is not FlexQueryResponse.")
        tags.append(tag)
        if tag == "FlexStatement":
            account = attributes.get("accountId", "")
        # An element without attributes only groups others.
        if tag in SECTIONS or (attributes and tag not in _FRAME):
            whose = attributes.get("accountId") or account
            found.append((parser.CurrentLineNumber, tag, whose, attributes))

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


def _convert(number: int, line: int, tag: str, account: str, attributes: dict[str, str]) -> FlexElement:
    if tag not in SECTIONS:
        return FlexElement(number, line, tag, account, attributes)
    known = {name: value for name, value in attributes.items() if name in _annotations(tag)}
    try:
        with warnings.catch_warnings(action="ignore"):
            values = parse_data_element(Element(tag, known))
    except FlexParserError as error:
        return FlexElement(number, line, tag, account, attributes, error=str(error))
    return FlexElement(number, line, tag, account, attributes, values)


def _annotations(tag: str) -> dict[str, Any]:
    # Interactive Brokers adds attributes now and then; a new one does not affect the others.
    found: dict[str, Any] = getattr(Types, tag).__annotations__
    return found
