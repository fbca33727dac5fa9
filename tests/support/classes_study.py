"""The small study with a label of three classes."""

from __future__ import annotations

import numpy as np
from small_study import protocol

BINARY_LABEL = """\
kind = "any-of-letters"
positive = ["E", "F"]
negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]
"""
CLASSES_LABEL = """\
kind = "classes"
classes = [
  { name = "none", texts = ["none", "0"] },
  { name = "mild", texts = ["mild"] },
  { name = "severe", texts = ["severe"] },
]
missing_codes = ["-9"]
"""
LABEL = (BINARY_LABEL, CLASSES_LABEL)
METRIC = (
    'metric = "auc"\nedges = ["0.1", "0.3", "0.5"]\n',
    'metric = "macro-auc"\nshares = ["0.34", "0.33", "0.33"]\nshares_source = "A survey"\n',
)


def classes_protocol(*edits):
    """It as a template, with edits."""
    return protocol(LABEL, METRIC, *edits)


def patients(rows, seed):
    """CSV of patients whose class follows from their age."""
    ages = np.random.default_rng(seed).uniform(0, 120, rows)
    lines = [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{('none', 'mild', 'severe')[int(age // 40.01)]}"
        for i, age in enumerate(ages)
    ]
    return "\n".join(["patient_id,age,TSH,sex,sick,target", *lines, ""]).encode()
