"""Prices that come in: where from, and everything that is done at once because of them."""
