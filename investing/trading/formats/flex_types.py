"""The parts of `ibflex` in use: the types of a Flex statement's elements, and their attributes' parser."""

import sys
from types import ModuleType

# ibflex always imports its downloader, and that needs `requests`, which it only declares as
# an extra. Nothing is downloaded here, so an empty module replaces it.
sys.modules.setdefault("ibflex.client", ModuleType("ibflex.client"))

from ibflex import Types  # noqa: E402
from ibflex.enums import AssetClass, BuySell, CashAction, InOut, Reorg, TradeType  # noqa: E402
from ibflex.parser import FlexParserError, parse_data_element  # noqa: E402

__all__ = [
    "AssetClass",
    "BuySell",
    "CashAction",
    "FlexParserError",
    "InOut",
    "Reorg",
    "TradeType",
    "Types",
    "parse_data_element",
]
