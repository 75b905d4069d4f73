"""A test in its two sizes: for every run, and for the soak."""

import pytest


def sizes(short: int, full: int) -> pytest.MarkDecorator:
    """The argument `size`, short or full."""
    soak = pytest.param(full, marks=[pytest.mark.soak, pytest.mark.timeout(0)], id="full")
    return pytest.mark.parametrize("size", [pytest.param(short, id="short"), soak])
