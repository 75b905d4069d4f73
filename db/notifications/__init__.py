"""Destinations of notifications, and their deliveries."""
