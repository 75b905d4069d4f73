"""Rounding, in one place and by one rule.

Amounts, prices and fractions have ten decimal places, quantities eighteen; halves round away from zero. That
is the rule of PostgreSQL's round(), so a figure is the same whether Python or SQL computes it.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

PLACES = Decimal("1E-10")
QUANTITY_PLACES = Decimal("1E-18")
LIMIT = Decimal(10) ** 18
"""Every stored amount and quantity is smaller than this: 18 digits before the decimal point."""


# Wide enough that a product or a quotient of stored values is rounded once: the product of two quantities has
# at most 72 digits, and a quotient is either exactly halfway between two roundings or further than 1E-60 from
# halfway.
_WIDE = Context(prec=120, rounding=ROUND_HALF_UP)
_DOWN = Context(prec=120, rounding=ROUND_DOWN)


def fits(*amounts: Decimal) -> bool:
    """Return whether all of the amounts are small enough to be stored."""
    return all(abs(amount) < LIMIT for amount in amounts)


def has_places(amount: Decimal, places: Decimal = PLACES) -> bool:
    """Return whether the amount has no more decimal places than are stored; trailing zeros do not count."""
    return _DOWN.quantize(amount, places) == amount


def product(a: Decimal, b: Decimal) -> Decimal:
    """Return a x b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.multiply(a, b), PLACES)


def share(whole: Decimal, part: Decimal, of: Decimal, places: Decimal = PLACES) -> Decimal:
    """Return whole x part / of, rounded to `places`: the part's share of the whole.

    `places` is QUANTITY_PLACES where the result is a number of shares.
    """
    return _WIDE.quantize(_WIDE.divide(_WIDE.multiply(whole, part), of), places)


def quotient(a: Decimal, b: Decimal) -> Decimal:
    """Return a / b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.divide(a, b), PLACES)


def quantity_for(amount: Decimal, price: Decimal) -> Decimal:
    """Return how many shares the amount pays for at this price, rounded down to eighteen places."""
    return _DOWN.quantize(_DOWN.divide(amount, price), QUANTITY_PLACES)


def part_of_total(before: Decimal, more: Decimal) -> Decimal:
    """Return what a further part adds to a rounded total: round(before + more) - round(before).

    Parts that are reported one by one then add up to the rounded total, however many there are.
    """
    total = _WIDE.quantize(_WIDE.add(before, more), PLACES)
    return total - _WIDE.quantize(before, PLACES)


def average(value: Decimal, quantity: Decimal, price: Decimal, of: Decimal) -> Decimal:
    """Return (value + quantity x price) / of, rounded once to ten places.

    It is the average price of `of` shares.
    """
    return _WIDE.quantize(_WIDE.divide(_WIDE.add(value, _WIDE.multiply(quantity, price)), of), PLACES)
