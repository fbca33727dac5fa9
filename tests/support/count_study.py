"""The small study with a label that is a count."""

from __future__ import annotations

import numpy as np
from classes_study import BINARY_LABEL
from number_study import METRIC, MODEL
from small_study import protocol

COUNT_LABEL = """\
kind = "count"
largest = 12
unit = "visits"
missing_codes = ["99"]
typical = "2.5"
typical_source = "A survey"
"""
LABEL = (BINARY_LABEL, COUNT_LABEL)
COUNTED = (METRIC[0], METRIC[1].replace('deviation = "30"', 'deviation = "2"'))
EDITS = (LABEL, COUNTED, MODEL)


def count_protocol(*edits):
    """It as a template, with edits."""
    return protocol(*EDITS, *edits)


def patients(rows, seed):
    """CSV of patients whose count follows from their age."""
    generator = np.random.default_rng(seed)
    ages = generator.uniform(0, 120, rows)
    found = np.minimum(generator.poisson(2.5 * np.exp(ages / 60 - 1)), 12)
    lines = [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{count}"
        for i, (age, count) in enumerate(zip(ages, found, strict=True))
    ]
    return "\n".join(["patient_id,age,TSH,sex,sick,target", *lines, ""]).encode()
