"""Alerts: rules, what crosses them, and what they tell."""
