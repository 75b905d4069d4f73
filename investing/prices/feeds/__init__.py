"""Market-data feeds, which bring prices to the price ingest."""
