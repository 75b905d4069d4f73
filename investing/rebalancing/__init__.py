"""Rebalancing: target weights, the plan that follows from them, and its execution."""
