"""The small study with a label of time and event."""

from __future__ import annotations

import numpy as np
from classes_study import BINARY_LABEL
from small_study import protocol

SURVIVAL_LABEL = """\
kind = "time-to-event"
time = "months"
event = "died"
event_name = "death"
happened = ["yes"]
censored = ["no", "moved"]
edges = ["6", "12", "24", "48"]
longest = "240"
survival = ["0.9", "0.8", "0.65", "0.4"]
survival_source = "A survey"
unit = "months"
missing_codes = ["-9"]
event_missing_codes = ["9"]
"""
LABEL = ('column = "target"\n' + BINARY_LABEL, SURVIVAL_LABEL)
METRIC = ('metric = "auc"\nedges = ["0.1", "0.3", "0.5"]\n', 'metric = "c-index"\nbins = 6\n')
MODEL = ('kind = "logistic-regression"', 'kind = "regression"')
EDITS = (LABEL, METRIC, MODEL)
HEADER = "patient_id,age,TSH,sex,sick,months,died"


def survival_protocol(*edits):
    """It as a template, with edits."""
    return protocol(*EDITS, *edits)


def csv(*lines):
    """Its table with these lines."""
    return ("\n".join([HEADER, *lines]) + "\n").encode()


def patients(rows, seed):
    """CSV of patients who die the earlier the older they are; some are lost on the way."""
    generator = np.random.default_rng(seed)
    ages = generator.uniform(0, 120, rows)
    until = generator.exponential(60 * np.exp(1 - ages / 60))
    lost = generator.exponential(80, rows)
    return csv(
        *(
            f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{min(death, gone, 240):.2f},"
            f"{'yes' if death < gone else 'moved'}"
            for i, (age, death, gone) in enumerate(zip(ages, until, lost, strict=True))
        )
    )
