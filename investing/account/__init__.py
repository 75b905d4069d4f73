"""Accounts and the movement of cash."""
