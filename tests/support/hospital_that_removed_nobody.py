"""A hospital's folder as far as the count of a table's rows asks it: nobody was removed."""

from types import SimpleNamespace


def hospital_that_removed_nobody():
    """Stand-in for a site: its secrets are zeros, and its ledger names no removed patients."""
    state = SimpleNamespace(excluded={})
    return SimpleNamespace(
        secret=bytes(32),
        split_secret=lambda _population: bytes(32),
        ledger=SimpleNamespace(state=state),
    )
