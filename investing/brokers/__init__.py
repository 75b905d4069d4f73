"""Brokers: one protocol, and its implementations."""
