"""The small study with a stage of statistics and nothing else."""

from __future__ import annotations

from conftest import protocol_text
from small_study import protocol

_TEXT = protocol_text()
_STAGES = _TEXT[_TEXT.index("[[stages]]") : _TEXT.index("[secagg]")]
STATISTICS = """\
[[stages]]
kind = "statistics"
columns = ["age", "TSH", "sick"]
by = "sex"
tables = [["sex", "sick"]]
bins = 10
noise_multiplier = "3.75"
epsilon = "1"
bound = 20000

"""
#: In place of training and check, with every patient in it.
ALONE = (
    (_STAGES, STATISTICS),
    ('[quality]\nminimum = "0.5"\nstop_rule = "none"\n\n', ""),
    ('recipients = ["participants"]', "recipients = []"),
    ('holdout = "3/10"', 'holdout = "0"'),
)
#: Before the training.
BEFORE = ('[[stages]]\nkind = "train"', STATISTICS + '[[stages]]\nkind = "train"')


def statistics_protocol(*edits):
    """It as a template, with edits."""
    return protocol(*ALONE, *edits)
