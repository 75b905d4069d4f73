"""Rounding, in one place and by one rule.

Amounts, prices and fractions have ten places, quantities eighteen; halves go away from zero: the rule of
PostgreSQL's round(), so that a figure is the same whether Python or SQL worked it out.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

PLACES = Decimal("1E-10")
QUANTITY_PLACES = Decimal("1E-18")
LIMIT = Decimal(10) ** 18
"""Every stored amount and quantity is smaller than this: 18 digits before the point."""


# Wide enough that a product or a quotient of stored values is rounded once: 72 digits have two quantities
# together, and a quotient is further than 1E-60 from the middle between two roundings, or exactly on it.
_WIDE = Context(prec=120, rounding=ROUND_HALF_UP)
_DOWN = Context(prec=120, rounding=ROUND_DOWN)


def fits(*amounts: Decimal) -> bool:
    """Whether all of them can be stored."""
    return all(abs(amount) < LIMIT for amount in amounts)


def has_places(amount: Decimal, places: Decimal = PLACES) -> bool:
    """Whether it has no more digits after the point than are stored; zeros at its end do not count."""
    return _DOWN.quantize(amount, places) == amount


def product(a: Decimal, b: Decimal) -> Decimal:
    """a x b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.multiply(a, b), PLACES)


def share(whole: Decimal, part: Decimal, of: Decimal, places: Decimal = PLACES) -> Decimal:
    """whole x part / of, rounded: the part's share of the whole. `places` are QUANTITY_PLACES for shares."""
    return _WIDE.quantize(_WIDE.divide(_WIDE.multiply(whole, part), of), places)


def quotient(a: Decimal, b: Decimal) -> Decimal:
    """a / b, rounded to ten places."""
    return _WIDE.quantize(_WIDE.divide(a, b), PLACES)


def quantity_for(amount: Decimal, price: Decimal) -> Decimal:
    """As many shares as the amount pays for at this price, rounded down to eighteen places."""
    return _DOWN.quantize(_DOWN.divide(amount, price), QUANTITY_PLACES)


def part_of_total(before: Decimal, more: Decimal) -> Decimal:
    """What a further part adds to a total that is rounded as a whole: round(before + more) - round(before).

    Parts that are told one by one add up to the rounded total then, however many they are.
    """
    total = _WIDE.quantize(_WIDE.add(before, more), PLACES)
    return total - _WIDE.quantize(before, PLACES)


def average(value: Decimal, quantity: Decimal, price: Decimal, of: Decimal) -> Decimal:
    """(value + quantity x price) / of, rounded to ten places once: the average price of `of` shares."""
    return _WIDE.quantize(_WIDE.divide(_WIDE.add(value, _WIDE.multiply(quantity, price)), of), PLACES)
