"""Alerts: the rules, the evaluation of what crosses them, and the alerts that result."""
