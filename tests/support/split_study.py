"""An evaluation that is split: for each hospital, by level and by band. Fits every small study."""

from __future__ import annotations

OLD = 'noise_multiplier = "3.75"\n'
BY = 'by = [{ column = "sex" }, { column = "age", edges = ["40"] }]\n'
OWN = "each_participant = true\n"
#: For each hospital, by sex (with "not recorded") and by two bands of the age.
SPLIT = (OLD, OLD + BY + OWN)
ONLY_BY = (OLD, OLD + BY)
ONLY_OWN = (OLD, OLD + OWN)
