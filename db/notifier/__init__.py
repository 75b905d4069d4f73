"""Doorbells: that something has happened to an owner, and nothing of what it was."""
