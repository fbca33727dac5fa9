"""The count before training: one noised sum, charged like any release, and what is decided on it."""

from decimal import Decimal

import numpy as np
import pytest
from binary_models import BINARY
from conftest import make_study, protocol_text
from in_process_federation import Room, going_on, sealed_study
from small_study import COUNT, COUNTED

from securefl.errors import RoundError, StudyError
from securefl.federation.checked_round import AnnouncedRound
from securefl.learning.preparation import Counted, counted, require_enough, stratum_counts
from securefl.learning.stages.programme import charges_of
from securefl.privacy.accounting import PldAccountant, pld_epsilon
from securefl.privacy.planning import study_epsilon
from securefl.report import explain_study
from securefl.report.study import study_words
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_protocol, parse_study

NONE_TOO_FEW = (COUNTED[0], COUNT.replace("minimum = 60", "minimum = 0"))


def spec(*edits):
    return parse_protocol(protocol_text(COUNTED, *edits)).stages[0]


def tally(negatives, positives):
    return Counted({"negative": negatives, "positive": positives}, 1.0, "")


def test_patients_are_counted_by_class():
    assert stratum_counts(np.array([0, 1, 1, 0, 0], dtype=np.int8), BINARY).tolist() == [3, 2]
    assert stratum_counts(np.zeros(0, dtype=np.int8), BINARY).tolist() == [0, 0]


def test_the_sum_says_how_many_and_how_noisy():
    found = counted(np.array([120, 31]), spec(), 4, BINARY)
    assert (found.strata, found.patients) == ({"negative": 120, "positive": 31}, 151)
    assert found.noise_sd == pytest.approx(2 * 18.54)


def test_too_few_end_the_study_by_the_released_figure():
    require_enough(tally(50, 10), spec())
    with pytest.raises(
        RoundError,
        match="About 59 were counted in all, and the study asks for at least 60",
    ):
        require_enough(tally(50, 9), spec())
    with pytest.raises(
        RoundError, match="About 0 were counted"
    ):  # the noise was larger than the count
        require_enough(tally(-20, 3), spec())


def test_who_asks_for_nobody_is_never_refused_whatever_the_noise():
    require_enough(tally(-20, 3), spec().model_copy(update={"minimum": 0}))


@pytest.mark.parametrize("goes_on", [False, True], ids=["all", "survivors"])
def test_the_count_is_the_first_round_and_its_sum_is_exact(goes_on):
    plan = sealed_study(NONE_TOO_FEW, *([("colluders = 1", "colluders = 0")] if goes_on else []))[1]
    room = Room(going_on(plan) if goes_on else plan)
    outcome = room.coordinator().run()
    assert [r.kind for r in outcome.records] == ["preparation", *["update"] * 4, "evaluation"]
    found = outcome.results[0].counted
    assert (
        list(found.strata.values()) == sum(h.produced[0] for h in room.hospitals.values()).tolist()
    )
    assert [len(h.produced[0]) for h in room.hospitals.values()] == [2, 2, 2]
    true = sum(stratum_counts(h._train_y, BINARY) for h in room.hospitals.values())
    assert true.sum() == 3 * 40
    assert abs(found.patients - 120) < 8 * found.noise_sd


def test_a_study_that_asks_for_more_than_there_are_ends_before_it_trains():
    room = Room(sealed_study((COUNTED[0], COUNT.replace("minimum = 60", "minimum = 100000")))[1])
    seen = []
    with pytest.raises(RoundError, match="asks for at least 100,000"):
        room.coordinator().run(seen.append)
    assert [r.kind for r in seen] == ["preparation"]
    assert all(len(h.produced) == 1 for h in room.hospitals.values())


def test_it_is_charged_and_the_patients_who_train_pay_for_both():
    study = parse_study(make_study(5, COUNTED)[0])
    charges = charges_of(study)
    assert [c.purpose for c in charges] == ["preparation", "update", "evaluation"]
    both = pld_epsilon(
        [c.mechanism for c in charges if c.purpose != "evaluation"], study.privacy.delta
    )
    whole = study_epsilon(charges, 1, study.privacy.delta, disjoint=True)
    assert whole == both == explain_study.worst_epsilon(study) > Decimal("1.01")
    without = parse_study(make_study(5)[0])
    assert explain_study.worst_epsilon(without) == 1


def test_the_worker_may_send_the_longest_list_of_any_round():
    plan = sealed_study(COUNTED)[1]
    two_bins = sealed_study(COUNTED, ('edges = ["0.1", "0.3", "0.5"]', 'edges = ["0.5"]'))[1]
    for made in (plan, two_bins, sealed_study()[1]):
        assert made.longest == max(made.length(n) for n in range(1, made.last_round + 1))
    assert [plan.length(n) for n in range(1, 7)] == [2, 7, 7, 7, 7, 8]
    assert two_bins.longest == 7  # an update, though round 1 is not


def test_the_first_update_starts_from_the_weights_that_were_approved():
    room = Room(sealed_study(NONE_TOO_FEW)[1])
    lying = room.coordinator()
    hospital = room.participant(room.plan.study.cohort[0])

    def announced(number, theta):
        keys = room.cipher.generate(room.ring_of(number))
        return lying._announce(number, theta, keys)[1]

    def check(broadcast):
        hospital.check(AnnouncedRound.open(room.plan, broadcast.announcement))

    with pytest.raises(RoundError, match="not the one that the study describes"):
        check(announced(1, room.theta))  # a count needs no model
    hospital.answer(announced(1, room.theta[:0])).close()
    with pytest.raises(RoundError, match="Round 2 does not start from the initial weights"):
        check(announced(2, room.theta + 1))
    hospital.answer(announced(2, room.theta)).close()
    check(announced(3, room.theta + 1))


def test_its_claim_is_checked_like_the_others():
    check_consistency(parse_protocol(protocol_text(COUNTED)), PldAccountant())
    with pytest.raises(StudyError, match=r"stages\.1\.epsilon: says 0\.1, but the noise gives"):
        check_consistency(
            parse_protocol(protocol_text((COUNTED[0], COUNT.replace('"0.174"', '"0.1"')))),
            PldAccountant(),
        )
    with pytest.raises(StudyError, match=r"stages\.1\.bound"):
        check_consistency(
            parse_protocol(protocol_text((COUNTED[0], COUNT.replace("20000", "8388608")))),
            PldAccountant(),
        )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [('"18.54"', '"1.9"', "must be at least 2"), ("minimum = 60", "minimum = -1", "minimum")],
)
def test_what_makes_no_sense_is_refused(old, new, why):
    with pytest.raises(StudyError, match=why):
        parse_protocol(protocol_text((COUNTED[0], COUNT.replace(old, new))))


def test_pages_say_that_patients_are_counted():
    study = parse_study(make_study(5, COUNTED)[0])
    first = explain_study.leaving(study)[0]
    assert first.sentence.startswith(
        "once, at the start: one encrypted list of 2 numbers blurred with noise"
    )
    words = study_words(study, "0" * 64)
    assert "once, at the start" in words
    assert "count epsilon 0.174" in words.replace("\\", "")
    assert "either to be counted and to train the model or to check it" in words
    assert "once, at the start" not in study_words(parse_study(make_study(5)[0]), "0" * 64)
