"""Secure aggregation: of integers packed, encrypted, masked and signed, only a whole sum opens."""

from __future__ import annotations
