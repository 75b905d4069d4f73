"""How a portfolio performed: valuation, returns, risk and what explains them."""
