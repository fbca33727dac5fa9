"""The small study with a label that is a number."""

from __future__ import annotations

import numpy as np
from classes_study import BINARY_LABEL
from small_study import protocol

NUMBER_LABEL = """\
kind = "number"
low = "0"
high = "200"
unit = "mmHg"
missing_codes = ["-9"]
typical = "80"
typical_source = "A survey"
"""
LABEL = (BINARY_LABEL, NUMBER_LABEL)
METRIC = (
    'metric = "auc"\nedges = ["0.1", "0.3", "0.5"]\n',
    'metric = "r2"\ndeviation = "30"\ndeviation_source = "A survey"\n',
)
MODEL = ('kind = "logistic-regression"', 'kind = "regression"')
EDITS = (LABEL, METRIC, MODEL)


def number_protocol(*edits):
    """It as a template, with edits."""
    return protocol(*EDITS, *edits)


def patients(rows, seed):
    """CSV of patients whose number follows from their age."""
    generator = np.random.default_rng(seed)
    ages = generator.uniform(0, 120, rows)
    numbers = np.clip(40 + ages + generator.normal(0, 10, rows), 0, 200)
    lines = [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{number:.1f}"
        for i, (age, number) in enumerate(zip(ages, numbers, strict=True))
    ]
    return "\n".join(["patient_id,age,TSH,sex,sick,target", *lines, ""]).encode()
