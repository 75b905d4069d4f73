"""Rounding, in one place and by one rule.

Amounts, prices and quantities have ten places, halves go away from zero: the rule of PostgreSQL's round(),
so that a figure is the same whether Python or SQL worked it out.
"""

from decimal import ROUND_HALF_UP, Context, Decimal

PLACES = Decimal("1E-10")
LIMIT = Decimal(10) ** 18
"""Every stored amount is smaller than this: 18 digits before the point."""


# Wide enough that a product or a quotient of two stored values is rounded once, at the tenth place.
_WIDE = Context(prec=80, rounding=ROUND_HALF_UP)


def fits(*amounts: Decimal) -> bool:
    """Whether all of them can be stored."""
    return all(abs(amount) < LIMIT for amount in amounts)


def product(a: Decimal, b: Decimal) -> Decimal:
    """a x b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.multiply(a, b), PLACES)


def share(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """whole x part / of, rounded to ten places: the part's share of the whole."""
    return _WIDE.quantize(_WIDE.divide(_WIDE.multiply(whole, part), of), PLACES)


def quotient(a: Decimal, b: Decimal) -> Decimal:
    """a / b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.divide(a, b), PLACES)


def average(value: Decimal, quantity: Decimal, price: Decimal, of: Decimal) -> Decimal:
    """(value + quantity x price) / of, rounded to ten places once: the average price of `of` shares."""
    return _WIDE.quantize(_WIDE.divide(_WIDE.add(value, _WIDE.multiply(quantity, price)), of), PLACES)
