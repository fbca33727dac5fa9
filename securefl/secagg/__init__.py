"""Secure aggregation: integers packed, encrypted, masked and signed so that nothing but one complete sum can be opened."""

from __future__ import annotations

from securefl.doors import lazy_door

_DOORS = {
    "CkksIntegers": "seal",
    "Contribution": "frame",
    "FieldLayout": "packing",
    "OpenedSum": "opening",
    "PublicKey": "publickey",
    "RoundFacts": "facts",
    "RoundKeyPair": "seal",
    "RoundKeys": "cipher",
    "SumCipher": "cipher",
    "SumFrame": "frame",
    "SumOfContributions": "sum",
    "add_contributions": "sum",
    "add_mask": "masks",
    "check_sum": "sum",
    "contribute": "contributing",
    "contribution_bytes": "frame",
    "encrypt": "seal",
    "open_sum": "opening",
    "pair_secret": "masks",
    "pairwise_mask": "masks",
    "public_key_bytes": "frame",
    "read_contribution": "frame",
    "read_public_key": "frame",
    "read_sum": "frame",
    "sum_bytes": "frame",
    "write_contribution": "frame",
    "write_public_key": "frame",
    "write_sum": "frame",
}
__getattr__ = lazy_door(__name__, _DOORS)
