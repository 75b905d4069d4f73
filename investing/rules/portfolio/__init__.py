"""What a portfolio may be set to, and what it is made of."""
