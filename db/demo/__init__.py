"""Writing a whole demo user at once."""
