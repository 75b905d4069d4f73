"""From target weights to trades."""
