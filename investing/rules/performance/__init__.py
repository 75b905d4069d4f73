"""How a portfolio did: valuation, returns, risk and what explains them."""
