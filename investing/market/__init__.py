"""Instruments, prices and watchlists."""
