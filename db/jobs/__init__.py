"""Jobs that come round again, each run by one process however many there are."""
