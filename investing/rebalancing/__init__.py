"""Rebalancing: target weights, and the plan that follows from them."""
