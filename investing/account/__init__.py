"""Opening accounts and moving cash."""
