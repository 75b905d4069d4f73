"""The storage layer: the tables, and all SQL."""

import decimal

PRECISION = 100
"""Digits of decimal arithmetic: two quantities of 36 digits multiply exactly, and so do their sums."""

# Python's default of 28 digits would round a quantity when it is merely added. Contexts are per thread and
# task, so both the template for new contexts and the context of the importing code are widened.
decimal.DefaultContext.prec = PRECISION
decimal.getcontext().prec = PRECISION
