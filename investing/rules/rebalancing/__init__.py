"""Rules about rebalancing: target weights, plans, and the legs that carry them out."""
