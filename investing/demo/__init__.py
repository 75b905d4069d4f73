"""The demo: users with years of trades at real prices, made by the rules of real trading."""
