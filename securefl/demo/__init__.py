"""The demonstration: five hospitals made from a public table, and the comparison that only a public
table allows.
"""

from __future__ import annotations
