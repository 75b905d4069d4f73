"""Accounts and the summary of a user."""
