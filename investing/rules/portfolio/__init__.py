"""Rules about a portfolio's settings and its allocation."""
