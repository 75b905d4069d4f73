"""Find the nearest of many plans: one option for each holding, together within the available cash.

It is a knapsack problem with several options for each item, solved by dynamic programming over the states
(cash, misses) that no other state dominates. States that even the linear relaxation of the remaining items
could not make better than the best plan found so far are dropped. Source: D. Pisinger, A minimal algorithm
for the multiple-choice knapsack problem, European Journal of Operational Research, 1995.

Everything is whole numbers, amounts in units of 1E-10, so that nothing is rounded.
"""

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

MOST_STATES = 400
"""How many states are kept for the next holding. If there are more, the answer is the best of those kept."""


class Option(NamedTuple):
    """One quantity that may be traded.

    `cash` is what it takes, negative if it brings some in; `misses` is how far the holding then is from its
    target, `worth` how much more of it is then held at its quote, and `strays` how far that is from what was
    planned for the available cash. All four are in units of 1E-10.
    """

    quantity: Decimal
    cash: int
    misses: int
    worth: int
    strays: int = 0


class _Scored(NamedTuple):
    option: Option
    cash: int
    score: int
    reduced: int = 0


# Cash, score, the sum of reduced scores, and the path that led there: (option's index, the path before).
_State = tuple[int, int, int, Any]


def nearest(choices: Sequence[Sequence[Option]], cash: int) -> list[Option]:
    """Choose one option of each choice so that together they take no more than the cash.

    The chosen ones have the smallest sum of misses, among equals the larger investment, and among those the
    smallest sum of strays. Raise ValueError if no options take so little.
    """
    items = _scored(choices)
    if sum(item[0].cash for item in items) > cash:
        raise ValueError("no options fit this cash")
    if sum(item[-1].cash for item in items) <= cash:
        return [item[-1].option for item in items]
    relaxed = _Relaxed(items, cash)
    order = sorted(range(len(items)), key=lambda place: _second(relaxed.items[place]))
    found = _search([relaxed.items[place] for place in order], relaxed, cash)
    chosen = dict(zip(order, found, strict=True))
    return [chosen[place] for place in range(len(items))]


def _scored(choices: Sequence[Sequence[Option]]) -> list[list[_Scored]]:
    """Give every option one score for all three criteria.

    The smallest difference in one criterion outweighs any difference in the next.
    """
    finest = 1 + sum(max(one.strays for one in choice) for choice in choices)
    finer = finest * (1 + 2 * sum(max(abs(one.worth) for one in choice) for choice in choices))
    return [
        _undominated(
            [_Scored(one, one.cash, one.misses * finer - one.worth * finest + one.strays) for one in choice]
        )
        for choice in choices
    ]


def _undominated(scored: Sequence[_Scored]) -> list[_Scored]:
    """Sort by cash, keeping only options whose score is better than that of all that take less."""
    kept: list[_Scored] = []
    for one in sorted(scored, key=lambda each: (each.cash, each.score)):
        if not kept or one.score < kept[-1].score:
            kept.append(one)
    return kept


class _Relaxed:
    """The linear relaxation, in which options may be mixed: `price / unit` is what a unit of cash is worth.

    An option's reduced score is how much worse than the relaxation a plan with it is at least.
    """

    def __init__(self, items: Sequence[Sequence[_Scored]], cash: int) -> None:
        at = [0] * len(items)
        left = cash - sum(item[0].cash for item in items)
        self.price, self.unit = 0, 1
        steps = [step for place, item in enumerate(items) for step in _hull(place, item)]
        # The best use of cash first; `sorted` keeps a holding's own steps in their order.
        for step in sorted(steps, key=lambda each: (each.gain * _COMMON) // each.cash, reverse=True):
            if step.cash > left:
                self.price, self.unit = step.gain, step.cash
                break
            at[step.place] = step.end
            left -= step.cash
        self.items = [self._reduced(item) for item in items]

    def _reduced(self, item: Sequence[_Scored]) -> list[_Scored]:
        totals = [one.score * self.unit + one.cash * self.price for one in item]
        least = min(totals)
        return [one._replace(reduced=total - least) for one, total in zip(item, totals, strict=True)]


_COMMON = 10**60
"""Slopes are compared as whole multiples of 1 / _COMMON; a tie only makes the bound a little weaker."""


class _Step(NamedTuple):
    """A step from one corner of an item's lower convex hull to the next: the cash taken, the score gained."""

    place: int
    end: int
    cash: int
    gain: int


def _hull(place: int, item: Sequence[_Scored]) -> list[_Step]:
    corners: list[int] = []
    for index, one in enumerate(item):
        while len(corners) > 1 and not _is_corner(item[corners[-2]], item[corners[-1]], one):
            corners.pop()
        corners.append(index)
    return [
        _Step(place, b, item[b].cash - item[a].cash, item[a].score - item[b].score)
        for a, b in itertools.pairwise(corners)
    ]


def _is_corner(before: _Scored, middle: _Scored, after: _Scored) -> bool:
    first = (before.score - middle.score) * (after.cash - middle.cash)
    return first > (middle.score - after.score) * (middle.cash - before.cash)


def _second(item: Sequence[_Scored]) -> int:
    """Return how much worse the second option is than the first: the least clear choices are made first."""
    reduced = sorted(one.reduced for one in item)
    return reduced[1] if len(reduced) > 1 else 0


def _search(items: Sequence[Sequence[_Scored]], relaxed: _Relaxed, cash: int) -> list[Option]:
    """Return the best plan, going from state to state.

    Each state is completed with the relaxation's choices for the remaining items, which soon gives a first
    answer.
    """
    first = [min(item, key=lambda one: (one.reduced, one.cash)) for item in items]
    least = [min(one.cash for one in item) for item in items]
    rest, remaining_least = sum(one.cash for one in first), sum(least)
    base = sum(one.score * relaxed.unit + one.cash * relaxed.price for one in first)
    rest_score = sum(one.score for one in first)
    best: tuple[int, int, Any] | None = None
    states: list[_State] = [(0, 0, 0, None)]
    for place, item in enumerate(items):
        rest, rest_score = rest - first[place].cash, rest_score - first[place].score
        remaining_least -= least[place]
        grown: list[_State] = []
        for spent, score, reduced, path in states:
            for index, one in enumerate(item):
                total = spent + one.cash
                # The best score of a plan on this path is base + reduced - price x cash.
                bound = base + reduced + one.reduced - relaxed.price * cash
                if total + remaining_least > cash or (best is not None and bound >= best[0] * relaxed.unit):
                    continue
                state = (total, score + one.score, reduced + one.reduced, (index, path))
                grown.append(state)
                if total + rest <= cash and (best is None or state[1] + rest_score < best[0]):
                    best = (state[1] + rest_score, place, state[3])
        states = _kept(grown)
    assert best is not None, "the cheapest options fit"
    return _chosen(items, first, best)


def _kept(states: list[_State]) -> list[_State]:
    """Return the states that no other one beats in both cash and score.

    If there are too many, they are the most promising ones.
    """
    states.sort(key=lambda state: (state[0], state[1]))
    kept: list[_State] = []
    for state in states:
        if not kept or state[1] < kept[-1][1]:
            kept.append(state)
    return sorted(kept, key=lambda state: state[2])[:MOST_STATES]


def _chosen(
    items: Sequence[Sequence[_Scored]], first: Sequence[_Scored], best: tuple[int, int, Any]
) -> list[Option]:
    """Return the options that the best path chose."""
    found = [one.option for one in first]
    _, place, path = best
    while path is not None:
        index, path = path
        found[place] = items[place][index].option
        place -= 1
    return found
