"""The small study with a time to an event, and its survival curves as the one stage."""

from __future__ import annotations

from small_study import protocol
from statistics_study import ALONE
from survival_study import LABEL

STAGE_TABLE = """\
[[stages]]
kind = "survival-curve"
by = "sex"
noise_multiplier = "3.75"
epsilon = "1"
bound = 20000

"""
#: In place of training and check, whatever the label.
CURVE_ALONE = ((ALONE[0][0], STAGE_TABLE), *ALONE[1:])
CURVE_EDITS = (LABEL, *CURVE_ALONE)


def curve_protocol(*edits):
    """It as a template, with edits."""
    return protocol(*CURVE_EDITS, *edits)
