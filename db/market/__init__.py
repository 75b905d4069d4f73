"""Instruments, price bars, quotes and watchlists."""
