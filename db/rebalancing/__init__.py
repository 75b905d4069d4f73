"""Rebalances: their history, their legs, and what is due."""
