"""Rebalance history and jobs."""
