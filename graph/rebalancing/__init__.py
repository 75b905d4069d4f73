"""The history of rebalances."""
