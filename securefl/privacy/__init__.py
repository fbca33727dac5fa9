"""Privacy: the price of a release, its noise, and the ledger that refuses overspending."""
