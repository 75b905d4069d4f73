"""Portfolios, positions, lots and performance."""
