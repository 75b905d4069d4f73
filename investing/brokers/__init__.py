"""Brokers: one protocol, and whoever speaks it."""
