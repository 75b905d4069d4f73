"""Portfolios: their settings, allocation, performance and snapshots."""
