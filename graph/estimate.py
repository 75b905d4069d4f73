"""Estimate how large an operation's answer can become, by its outline and the rows that its owner has."""

from collections.abc import Sequence
from typing import NamedTuple

from db.row_counts import MOST_COUNTED
from graph.outline import CONNECTION, PAGE, PART, ROW, ROW_LIST, Outline, Size, Step

# Figures are capped here: pages within pages multiply them up to dozens of digits.
CEILING = 10**12


class Estimate(NamedTuple):
    """The most values that an answer can have, heavy fields by their price, and about how many bytes."""

    cost: int
    size: int


def estimate(outline: Outline, numbers: Sequence[int | None], rows: Sequence[int] | None = None) -> Estimate:
    """Return an upper bound of what an operation's answer can be.

    `numbers` are the outline's, `rows` the RowCounts of the owner; without them, pages alone bound it.

    Two bounds follow the steps: how many objects of a step there are at most, and how often one and the same
    object can be among them. A page under n parents has at most n pages of entries. As each row of a list
    belongs to one parent, it also has at most all rows of the list, once for each repetition of a parent: a
    document that goes from portfolios to their account and back to its portfolios is charged for that.
    """
    objects, repeats, entries = [1], [1], [0]
    root = outline.steps[0]
    cost, size = root.values, root.size
    for step in outline.steps[1:]:
        n, k, page = objects[step.parent], repeats[step.parent], 0
        if step.how == CONNECTION:
            assert step.page is not None
            page = n * size_of(step.page, numbers)
            if rows is not None and step.kind is not None and rows[step.kind] <= MOST_COUNTED:
                page = min(page, k * rows[step.kind])
        elif step.how == PAGE:
            n = entries[step.parent]
        elif step.how == ROW:
            k = n
        elif step.how != PART:
            n = _items(step, n, k, numbers, rows)
            k = n if step.how == ROW_LIST else k
        n = min(n, CEILING)
        objects.append(n)
        repeats.append(min(k, n))
        entries.append(min(page, CEILING))
        cost += n * step.values
        size += n * step.size
    for at, charge in outline.charges:
        for_rows = objects[at] * charge.assumed
        if rows is not None:
            for_rows = repeats[at] * rows[charge.kind]
        cost += for_rows * charge.per_row
        size += for_rows * charge.bytes_per_row
    return Estimate(min(cost, CEILING), min(size, CEILING))


def size_of(page: Size, numbers: Sequence[int | None]) -> int:
    """Return how many entries a page or a list of ids asks for."""
    if not page.variables:
        return page.least
    largest = page.least
    for index, default in page.variables:
        number = numbers[index]
        number = default if number is None else number
        if number is not None:
            largest = max(largest, min(max(number, 1), page.most))
    return largest or page.otherwise


def _items(step: Step, n: int, k: int, numbers: Sequence[int | None], rows: Sequence[int] | None) -> int:
    """Return how many entries the lists without pages have, under n objects with k repetitions."""
    if step.page is not None:
        return n * size_of(step.page, numbers)
    assert step.items is not None
    if rows is None or step.kind is None:
        return n * step.items.most
    return k * rows[step.kind] + n * step.items.beside
