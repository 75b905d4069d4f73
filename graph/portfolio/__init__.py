"""Portfolios, positions and performance."""
