"""Recurring jobs, each run by one process however many there are."""
