"""Secure aggregation: integers packed, encrypted, masked and signed so that nothing but one
complete sum can be opened.
"""

from __future__ import annotations
