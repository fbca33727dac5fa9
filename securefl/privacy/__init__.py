"""The privacy room: what a release costs, the noise that pays for it, and the ledger that refuses
overspending.
"""
