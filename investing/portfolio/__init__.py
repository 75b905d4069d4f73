"""Opening and changing portfolios."""
