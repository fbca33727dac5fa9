"""An evaluation that is split: for each hospital, by level and by band. Fits every small study."""

from __future__ import annotations

OLD = 'noise_multiplier = "3.75"\n'
BY = 'by = [{ column = "sex" }, { column = "age", edges = ["40"] }]\n'
OWN = "each_participant = true\n"
#: For each hospital, by sex (with "not recorded") and by two bands of the age.
SPLIT = (OLD, OLD + BY + OWN)
ONLY_BY = (OLD, OLD + BY)
ONLY_OWN = (OLD, OLD + OWN)
#: A rule that no model meets with so few patients: it is withheld.
WITHHOLD = ('stop_rule = "none"', 'minimum_each = "0.99"\nstop_rule = "withhold"')
