"""Demonstration: five hospitals of a public table, and the comparison that only it allows."""

from __future__ import annotations
