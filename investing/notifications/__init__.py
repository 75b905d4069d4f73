"""Notifications: where alerts are sent, and how they get there."""
