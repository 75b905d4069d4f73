"""Recording and trading."""
