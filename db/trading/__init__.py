"""Orders and transactions."""
