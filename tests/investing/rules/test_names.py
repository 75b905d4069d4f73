"""Symbols as the world writes them, and the numbers of securities."""

import unicodedata

import pytest

from investing.rules.errors import InvalidInput
from investing.rules.names import checked_symbol, folded_symbol, is_symbol
from investing.rules.trading.identifiers import isins_of

GOOD = ["BRK.B", "BRK B", "^GSPC", "BTC/USD", "M&M.NS", "0700.HK", "EURUSD=X", "BAC-PL", "NASDAQ:AAPL"]
GOOD += ["CL1!", "A+", "ТАТНЕФТЬ", "株式", "Ñ1", "7203 JP", "X" * 32, "ﷺ", "हिन्द"]
BAD = ["", " ", ".INX", "=1+1", "-A", "+A", "@A", "A  B", "A\tB", "A\nB", "A\0B", "A;B", 'A"B', "A,B", "A<B"]
BAD += [
    "A\N{ZERO WIDTH SPACE}B",
    "A\N{RIGHT-TO-LEFT OVERRIDE}B",
    "A\N{NO-BREAK SPACE}B",
    "X" * 33,
    "A\\",
    "€",
    "😀",
]


@pytest.mark.parametrize("symbol", GOOD)
def test_symbols(symbol: str) -> None:
    assert checked_symbol(f" {symbol} ") == symbol
    assert is_symbol(symbol)


@pytest.mark.parametrize("symbol", BAD)
def test_what_is_none(symbol: str) -> None:
    with pytest.raises(InvalidInput, match="is not a symbol: give 1 to 32 letters"):
        checked_symbol(symbol)


def test_one_spelling() -> None:
    spelt = {"brk.b": "BRK.B", "татнефть": "ТАТНЕФТЬ", "ñ": "Ñ", unicodedata.normalize("NFD", "ñ"): "Ñ"}
    assert {text: folded_symbol(text) for text in spelt} == spelt
    # Their capitals are an I, an S and an SS, which are other symbols.
    letters = ["\N{LATIN SMALL LETTER DOTLESS I}", "\N{LATIN SMALL LETTER LONG S}", "ß"]
    assert [folded_symbol(text) for text in letters] == letters
    assert not is_symbol("brk.b")


@pytest.mark.parametrize(
    ("identifier", "isins"),
    [
        # Apple's and Microsoft's, as they are published.
        ("US0378331005", ["US0378331005"]),
        ("us5949181045 ", ["US5949181045"]),
        ("US0378331006", []),
        ("037833100", ["US0378331005", "CA0378331007"]),
        ("594918104", ["US5949181045", "CA5949181047"]),
        ("594918105", []),
        ("MSFT", []),
        ("", []),
    ],
)
def test_isins(identifier: str, isins: list[str]) -> None:
    found = isins_of(identifier)
    assert found[:1] == isins[:1]
    assert len(found) == len(isins)
