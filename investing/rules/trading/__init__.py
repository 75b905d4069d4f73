"""Orders, splits and the ledger: what an entry may be, and what it makes of holdings and lots."""
