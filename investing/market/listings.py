"""Who the bundled instruments are: the company's name and the exchange that listed its shares.

Both as they stood on the last day of the series, so Facebook was not Meta yet. Source: the companies' annual
reports (Form 10-K) of those years. All are shares in US dollars, but for the index of 500 of them.
"""

from typing import NamedTuple


class Listing(NamedTuple):
    """A company's name and the exchange of its primary listing."""

    name: str
    exchange: str | None


INDEX = "SPX"
"""The S&P 500."""

LISTINGS = {
    "AAPL": Listing("Apple Inc.", "NASDAQ"),
    "AMD": Listing("Advanced Micro Devices, Inc.", "NASDAQ"),
    "BAC": Listing("Bank of America Corporation", "NYSE"),
    "BBY": Listing("Best Buy Co., Inc.", "NYSE"),
    "CVX": Listing("Chevron Corporation", "NYSE"),
    "FB": Listing("Facebook, Inc.", "NASDAQ"),
    "GE": Listing("General Electric Company", "NYSE"),
    "GOOG": Listing("Google Inc.", "NASDAQ"),
    "HD": Listing("The Home Depot, Inc.", "NYSE"),
    "IBM": Listing("International Business Machines Corporation", "NYSE"),
    "JNJ": Listing("Johnson & Johnson", "NYSE"),
    "JPM": Listing("JPMorgan Chase & Co.", "NYSE"),
    "KO": Listing("The Coca-Cola Company", "NYSE"),
    "LLY": Listing("Eli Lilly and Company", "NYSE"),
    "MRK": Listing("Merck & Co., Inc.", "NYSE"),
    "MSFT": Listing("Microsoft Corporation", "NASDAQ"),
    "PEP": Listing("PepsiCo, Inc.", "NASDAQ"),
    "PFE": Listing("Pfizer Inc.", "NYSE"),
    "PG": Listing("The Procter & Gamble Company", "NYSE"),
    "RRC": Listing("Range Resources Corporation", "NYSE"),
    INDEX: Listing("S&P 500 Index", None),
    "UNH": Listing("UnitedHealth Group Incorporated", "NYSE"),
    "WMT": Listing("Walmart Inc.", "NYSE"),
    "XOM": Listing("Exxon Mobil Corporation", "NYSE"),
}
"""By symbol."""
