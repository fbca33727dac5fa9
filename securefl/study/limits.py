"""Limits of privacy figures: beyond these a study promises nothing.

Or asks for figures that no accountant works out.
"""

from __future__ import annotations

from decimal import Decimal

#: Less noise than this hides nobody: one step over all patients has epsilon 19 at delta 1e-5. At
#: 0.1 and a hundred steps the privacy loss distribution took 52 s and 2.3 GB.
LEAST_NOISE = Decimal("0.3")
#: More noise than this leaves no signal; the ledger's mechanisms end here too.
MOST_NOISE = Decimal(10**6)
#: Above this a promise says nothing: a guess about a patient may be right but for 1 in 10^43.
MOST_EPSILON = Decimal(100)
#: Smaller chances than this are beyond what integer noise and float64 accountants keep.
LEAST_DELTA = Decimal("1e-30")
