"""Studies that cannot learn are refused with the line and a mend that is accepted; whatever is
meant passes.
"""

import re

import pytest
from conftest import PROTOCOL, edited, make_study, protocol_text

from securefl.errors import StudyError
from securefl.privacy.accounting import PldAccountant
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_any

NORMALISER = 'normaliser = "200"'
SERVER, LOCAL = 'server_learning_rate = "4"', 'local_learning_rate = "1"'
COUNT = (
    '[[stages]]\nkind = "train"',
    (
        '[[stages]]\nkind = "count"\nnoise_multiplier = "18.54"\nepsilon = "0.174"\nbound = 20000\nminimum ='
        ' 5000\n\n[[stages]]\nkind = "train"'
    ),
)
CASES = {
    "nobody trains": (
        (NORMALISER, 'normaliser = "1"'),
        "stages.1.normaliser",
        r"stands for 5 patients .*\((\d+) or more\)",
        'normaliser = "{}"',
    ),
    "more than there are": (
        (NORMALISER, 'normaliser = "1e9"'),
        "stages.1.normaliser",
        r"5,000,000,000 patients .*at most (\d+)",
        'normaliser = "{}"',
    ),
    "a server rate of 1000": (
        (SERVER, 'server_learning_rate = "1000"'),
        "stages.1.server_learning_rate",
        r"at most (\d+)",
        None,
    ),
    "a local rate of 1000": (
        (LOCAL, 'local_learning_rate = "1000"'),
        "stages.1.local_learning_rate",
        r"at most (\d+)",
        None,
    ),
    "rates that multiply": (
        (LOCAL, 'local_learning_rate = "90"'),
        "stages.1.server_learning_rate",
        r"in a round .*about ([0-9.]+)",
        'server_learning_rate = "{}"',
    ),
    "rates without effect": (
        (SERVER, 'server_learning_rate = "1e-6"'),
        "stages.1.server_learning_rate",
        r"where it starts.*take ([0-9.]+) or more",
        'server_learning_rate = "{}"',
    ),
    "a clip norm that clips nobody": (
        ('clip_norm = "1"', 'clip_norm = "1e9"'),
        "stages.1.clip_norm",
        r"the noise is in clip norms.*take ([0-9.]+) or less",
        'clip_norm = "{}"',
    ),
    "a bound in grid units": (
        ("bits = 16", "bits = 16\nbound = 20000"),
        "stages.1.bound",
        r"in clip norms.*or write (\d+)",
        "bound = {}",
    ),
    "a bound that cuts nearly everything": (
        ("bits = 16", "bits = 16\nbound = 1"),
        "stages.1.bound",
        r"write (\d+) or more",
        "bound = {}",
    ),
}


def told(text):
    try:
        check_consistency(parse_any(text), PldAccountant(), text)
    except StudyError as error:
        return error.what
    return ""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sealed", [False, True])
def test_what_cannot_learn_is_refused_with_its_line_and_a_mend_that_is_accepted(case, sealed):
    edit, where, says, mended = CASES[case]
    text = make_study(5, edit)[0] if sealed else protocol_text(edit)
    what = told(text)
    key = edit[1].splitlines()[-1]
    line = text.split("\n").index(key) + 1
    assert f"line {line}: {where}: " in what or where == "stages.1.server_learning_rate", what
    found = re.search(says, what)
    assert found, what
    if mended is not None:
        key = mended.partition(" =")[0]
        again = re.sub(rf"(?m)^{key} = .*$", mended.format(found.group(1)), text)
        assert told(again) == ""


@pytest.mark.parametrize(
    "edits",
    [
        (),
        ((NORMALISER, 'normaliser = "10"'),),
        ((NORMALISER, 'normaliser = "20000000"'),),
        ((SERVER, 'server_learning_rate = "100"'),),
        ((LOCAL, 'local_learning_rate = "0.001"'),),
        (("bits = 16", "bits = 6\nbound = 400"),),
        (("bits = 16", "bits = 6"),),
        (('clip_norm = "1"', 'clip_norm = "30"'),),
        (
            ('clip_norm = "1"', 'clip_norm = "1e-9"'),
        ),  # directions alone, as long as the noise allows
    ],
)
def test_whatever_could_be_meant_passes(edits):
    assert told(edited(PROTOCOL, *edits)) == ""


def test_noise_above_all_that_could_be_taught_is_refused():
    text = protocol_text(
        (NORMALISER, 'normaliser = "10"'),
        ('noise_multiplier = "2.14"', 'noise_multiplier = "40"'),
        ('epsilon = "1"\nnoise_multiplier', 'epsilon = "0.0427"\nnoise_multiplier'),
    )
    what = told(text)
    assert (
        "the noise of 5 hospitals over 4 steps is larger than all of them together could teach;"
        " take 45 or more" in what
    )
    assert "stages.1.normaliser" not in told(
        edited(text, ('normaliser = "10"', 'normaliser = "45"'))
    )


def test_a_normaliser_below_the_patients_that_the_study_itself_asks_for_is_refused():
    what = told(protocol_text(COUNT))
    assert "stands for 1,000 patients" in what
    assert "stages.2.normaliser" in what
    assert "a stage's minimum asks for 5,000, so 1000 or more" in what
    assert "normaliser" not in told(protocol_text(COUNT, (NORMALISER, 'normaliser = "1000"')))
