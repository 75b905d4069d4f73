"""The bundled instruments: the company's name and the exchange that listed its shares.

Both are as of the last day of the series, when Facebook was not yet Meta. Source: the companies' annual
reports (Form 10-K) of those years. All are shares in US dollars, apart from the index of 500 of them.
"""

from typing import NamedTuple


class CompanyListing(NamedTuple):
    """A company's name and the exchange of its primary listing."""

    name: str
    exchange: str | None


INDEX = "SPX"
"""The S&P 500."""

LISTINGS = {
    "AAPL": CompanyListing("Apple Inc.", "NASDAQ"),
    "AMD": CompanyListing("Advanced Micro Devices, Inc.", "NASDAQ"),
    "BAC": CompanyListing("Bank of America Corporation", "NYSE"),
    "BBY": CompanyListing("Best Buy Co., Inc.", "NYSE"),
    "CVX": CompanyListing("Chevron Corporation", "NYSE"),
    "FB": CompanyListing("Facebook, Inc.", "NASDAQ"),
    "GE": CompanyListing("General Electric Company", "NYSE"),
    "GOOG": CompanyListing("Google Inc.", "NASDAQ"),
    "HD": CompanyListing("The Home Depot, Inc.", "NYSE"),
    "IBM": CompanyListing("International Business Machines Corporation", "NYSE"),
    "JNJ": CompanyListing("Johnson & Johnson", "NYSE"),
    "JPM": CompanyListing("JPMorgan Chase & Co.", "NYSE"),
    "KO": CompanyListing("The Coca-Cola Company", "NYSE"),
    "LLY": CompanyListing("Eli Lilly and Company", "NYSE"),
    "MRK": CompanyListing("Merck & Co., Inc.", "NYSE"),
    "MSFT": CompanyListing("Microsoft Corporation", "NASDAQ"),
    "PEP": CompanyListing("PepsiCo, Inc.", "NASDAQ"),
    "PFE": CompanyListing("Pfizer Inc.", "NYSE"),
    "PG": CompanyListing("The Procter & Gamble Company", "NYSE"),
    "RRC": CompanyListing("Range Resources Corporation", "NYSE"),
    INDEX: CompanyListing("S&P 500 Index", None),
    "UNH": CompanyListing("UnitedHealth Group Incorporated", "NYSE"),
    "WMT": CompanyListing("Walmart Inc.", "NYSE"),
    "XOM": CompanyListing("Exxon Mobil Corporation", "NYSE"),
}
"""The listings by symbol."""
