"""The quality rule of a study: judged on all patients and on the lowest hospital, and what comes of
a model that does not meet it.
"""

import numpy as np
import pytest
from conftest import make_study
from in_process_federation import Room, sealed_study
from small_study import protocol
from split_study import OLD, ONLY_OWN, SPLIT, WITHHOLD

from securefl.errors import RoundError, StudyError
from securefl.learning.stages.programme import Programme
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import quality_sentence
from securefl.report.quality import quality_words
from securefl.report.told import told_quality
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_study
from securefl.study.schema import Quality, quality_of

GOOD = np.array([800, 100, 20, 10, 5, 10, 60, 300]) * 4
BAD = GOOD[[4, 5, 6, 7, 0, 1, 2, 3]]
NOISE = np.array([1, 0, 2, -3, 1, 0, -1, 2])
EVALUATE = """[[stages]]
kind = "evaluate"
metric = "auc"
edges = ["0.1", "0.3", "0.5"]
noise_multiplier = "3.75"
epsilon = "1"
bound = 20000

"""
#: A second check, after which nothing follows.
TWICE = ('[[stages]]\nkind = "evaluate"', EVALUATE + '[[stages]]\nkind = "evaluate"')


def judged(rule, *hospitals):
    study = parse_study(make_study(5, ONLY_OWN)[0])
    stage = Programme(study).stages[-1]
    total = np.concatenate([*hospitals]).astype(np.int64)
    return stage.read(total, 5).verdict(rule)


def rule(minimum, each=None, stop="none"):
    return Quality.model_validate({"minimum": minimum, "minimum_each": each, "stop_rule": stop})


def test_all_patients_and_the_lowest_hospital_are_judged():
    four = [GOOD] * 4
    assert judged(rule("0.8"), *four, GOOD) == "met"
    assert judged(rule("0.8", "0.7"), *four, GOOD) == "met"
    assert judged(rule("0.6"), *four, BAD) == "met"
    assert judged(rule("0.6", "0.7"), *four, BAD) == "not-met"
    assert judged(rule("0.99"), *four, BAD) == "not-met"


def test_a_hospital_too_small_for_the_noise_leaves_the_rule_open():
    assert judged(rule("0.8", "0.7"), *[GOOD] * 4, NOISE) == "cannot-be-judged"
    assert judged(rule("0.8", "0.7"), *[NOISE] * 5) != "met"
    # control: a rule on all patients alone does not see the hospital
    assert judged(rule("0.8"), *[GOOD] * 4, NOISE) == "met"


def test_a_lost_hospital_is_not_judged():
    assert judged(rule("0.8", "0.7"), *[GOOD] * 4, 0 * GOOD) == "met"


def test_only_a_met_rule_lets_the_model_out():
    withhold = rule("0.8", stop="withhold")
    assert [withhold.withholds(v) for v in ("met", "not-met", "cannot-be-judged")] == [0, 1, 1]
    assert not rule("0.8").withholds("not-met")


def test_a_rule_on_each_hospital_needs_their_figures():
    each = (WITHHOLD[0], WITHHOLD[1])
    with pytest.raises(StudyError, match="write each_participant = true there"):
        check_consistency(protocol(each), PldAccountant())
    check_consistency(protocol(each, ONLY_OWN), PldAccountant())


def test_a_study_ends_before_a_second_check_of_a_model_that_it_withholds():
    plan = sealed_study(
        TWICE,
        WITHHOLD,
        (
            OLD + 'epsilon = "1"\nbound = 20000\n\n[secagg]',
            ONLY_OWN[1] + 'epsilon = "1"\nbound = 20000\n\n[secagg]',
        ),
        ('epsilon = "1"\nnoise_multiplier = "2.14"', 'epsilon = "1"\nnoise_multiplier = "2.14"'),
    )[1]
    room = Room(plan)
    with pytest.raises(RoundError, match="ends here, as its quality rule says"):
        room.coordinator().run()
    assert all(
        len(hospital.produced) == plan.last_round - 1 for hospital in room.hospitals.values()
    )


def test_what_people_read_of_it():
    words = quality_words("not-met", quality_of(protocol()).minimum, quality_of(protocol()).minimum)
    assert (
        words
        == "at least 0.5, and at least 0.5 at each hospital: NOT met; a whole interval lies below"
    )
    kept = {"verdict": "not-met", "minimum": "0.5", "withheld": True}
    assert told_quality(kept).text.endswith("the model is withheld")
    sentence = quality_sentence(parse_study(make_study(5, SPLIT, WITHHOLD)[0]))
    assert "0.5, and 0.99 at each hospital" in sentence
    assert "given to nobody" in sentence
