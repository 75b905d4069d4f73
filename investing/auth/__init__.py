"""Logins, tokens and keys."""
