"""Rules about orders, splits and the ledger: what an entry may be, and how it changes holdings and lots."""
