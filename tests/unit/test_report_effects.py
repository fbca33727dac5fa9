"""Effects of a linear model's columns in the whole report: with ratios where a score multiplies."""

from dataclasses import dataclass

import pytest
from count_study import count_protocol
from number_study import number_protocol
from small_study import protocol
from survival_study import survival_protocol

from securefl.learning.effects import Effect
from securefl.report.page import page
from securefl.report.terminal import plain_text
from securefl.report.whole_report import _effects


@dataclass
class Found:
    study: object
    effects: tuple


@pytest.mark.parametrize(
    ("study", "word"),
    [
        (protocol(), "odds times"),
        (survival_protocol(), "hazard odds times"),
        (count_protocol(), "rate times"),
        (number_protocol(), ""),
    ],
    ids=["binary", "time-to-event", "count", "number"],
)
def test_a_ratio_stands_with_its_interval_over_the_noise(study, word):
    shown = _effects(Found(study, (Effect("sex = M", 0.6931, 0.0, 1.3863),)))
    text = " ".join(plain_text(page("Effects", shown), 200).split())
    assert "+0.69 +0.00 to +1.39" in text
    assert ("2 1 to 4" in text) is bool(word)
    assert word in text
