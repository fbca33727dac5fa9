"""Shared noise in a study: what is refused, what a hospital adds, and what pages say of it."""

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from conftest import make_study
from ledger_site import CHARGES, DELTA, TERMS, digest, new_ledger
from shared_noise import SHARED, no_rows, shared_study
from small_study import FixedDraws, protocol

from securefl.errors import StudyError, UsageError
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.steps import StepRule
from securefl.privacy.accounting import PldAccountant, rdp_cost
from securefl.privacy.charges import ChargeTerms
from securefl.privacy.forecast import Training
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian, alone, mechanism_from_json
from securefl.privacy.planning import epsilon_if_masks_fail, study_epsilon
from securefl.report import explain_study
from securefl.report.plan import plan_page, plan_study
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_study
from securefl.study.wire import GRID, limit_of


def text_of(least, colluders, *edits):
    text, *_ = make_study(
        5,
        ("min_contributors = 5", f"min_contributors = {least}"),
        ("colluders = 3", f"colluders = {colluders}"),
        *SHARED,
        *edits,
    )
    return text


def refusal(text):
    with pytest.raises(StudyError) as found:
        check_consistency(parse_study(text), PldAccountant(), text)
    return re.sub(r"\s+", " ", str(found.value))


# --- what is refused


def test_a_study_of_shares_is_taken():
    text = text_of(4, 2)
    check_consistency(parse_study(text), PldAccountant(), text)


@pytest.mark.parametrize(
    ("least", "colluders", "edits", "words"),
    [
        (4, 0, (), r"line \d+: secagg.colluders: must be 1 or more"),
        (
            4,
            2,
            (("local_steps = 1", "local_steps = 2"), ("steps = 4\n", "steps = 8\n")),
            r"stages.1.local_steps: says 2, and with noise = \"distributed\" it must be 1",
        ),
        (
            4,
            2,
            (
                (
                    'noise_multiplier = "4.5"\nepsilon = "0.817"',
                    'noise_multiplier = "2.5"\nepsilon = "1.56"',
                ),
            ),
            r"stages.2.noise_multiplier: leaves 1.77 counts of noise to each of 2 .* 2 are the least",
        ),
        (
            4,
            2,
            (("bits = 16", "bits = 6"),),
            r"stages.1.bits: of 6 make steps of 0.\d+ of a hospital's share .*Write more bits",
        ),
    ],
    ids=["nobody colludes", "two local steps", "a small count", "a coarse wire"],
)
def test_what_does_not_go_with_shares_is_refused(least, colluders, edits, words):
    assert re.search(words, refusal(text_of(least, colluders, *edits)))


def test_a_strategy_that_sends_another_vector_is_refused():
    server = 'server_learning_rate = "4"\nserver_momentum = "0.8"\n'
    edits = ('strategy = "fedavg"', 'strategy = "dp-fedexp"'), (server, "")
    assert '"dp-fedexp" sends what it makes' in refusal(text_of(4, 2, *edits))


def test_control_local_noise_takes_all_of_these():
    for edits in (
        (("local_steps = 1", "local_steps = 2"), ("steps = 4\n", "steps = 8\n")),
        (("bits = 16", "bits = 6"),),
    ):
        study = protocol(*edits)
        assert not any(
            "share" in fault
            for fault in map(str, Programme(study).stages[0].faults(PldAccountant()))
        )


# --- what a hospital adds


def test_a_hospital_adds_a_share_in_each_stage():
    study = shared_study(4, 2)
    draws = FixedDraws()
    for stage in Programme(study).stages:
        end = stage.local(study, study.cohort[0], no_rows(study), draws)
        (release,) = stage.releases()
        end.answer(release, np.zeros(stage.public_length))
    root = Decimal(2).sqrt()
    train, evaluation = draws.sigmas
    assert float(train) == pytest.approx(float(Decimal("2.14") / root * GRID), rel=1e-6)
    assert float(evaluation) == pytest.approx(float(Decimal("4.5") / root), rel=1e-6)
    assert evaluation * evaluation * 2 >= Decimal("4.5") ** 2


def test_the_sum_is_limited_before_the_noise_and_nothing_is_cut_after():
    study = shared_study(4, 2)
    rule = StepRule.from_study(study, Fraction(1, 5))
    assert rule.limit == limit_of(study)
    largest_draw = 14 * float(rule.sigma) + float(rule.sigma) / 256
    assert rule.limit + largest_draw <= rule.wire_largest * rule.wire_step
    assert limit_of(protocol()) is None


def test_limiting_moves_nobodys_part_by_more_than_a_clip_norm():
    from securefl.learning.steps import PrivateSteps

    generator = np.random.default_rng(3)
    limit = 3 * GRID
    rule = replace(StepRule.from_study(shared_study(4, 2), Fraction(1, 5)), limit=limit)

    def gradients(theta, x, y):
        return x.astype(np.float64)

    x = generator.normal(0.5, 1, (40, 6)).astype(np.float32)
    whole = PrivateSteps(rule, gradients, x, np.zeros(40), FixedDraws())
    total = whole.noised_steps(np.zeros(6))
    assert np.abs(total).max() == limit
    assert whole.clamped > 0
    for left_out in range(40):
        kept = np.delete(x, left_out, axis=0)
        other = PrivateSteps(rule, gradients, kept, np.zeros(39), FixedDraws())
        moved = total - other.noised_steps(np.zeros(6))
        assert np.linalg.norm(moved.astype(float)) <= GRID


def test_figures_of_an_evaluation_count_the_noise_that_is_there():
    local, shared = Programme(protocol()), Programme(shared_study(4, 2))
    total = np.arange(8)
    for programme, noises in ((local, 5.0), (shared, 2.5)):
        stage = programme.stages[-1]
        state = stage.absorb(stage.start([_model()]), total, 5)
        assert stage.result(state).noises == noises


def _model():
    from securefl.learning.stages.train import TrainResult

    return TrainResult(np.zeros(3))


# --- what is charged, and kept


def test_the_charge_is_that_of_the_whole_noise():
    for charge in charges_of(shared_study(4, 2)):
        assert charge.mechanism.shares == 2
        plain = replace(charge.mechanism, shares=1)
        assert rdp_cost(charge.mechanism, 12) == rdp_cost(plain, 12) + 1


def test_both_epsilons_of_a_study():
    charges = charges_of(shared_study(4, 2))
    whole = study_epsilon(charges, 1, DELTA, disjoint=True)
    single = epsilon_if_masks_fail(charges, 1, DELTA, disjoint=True)
    assert single == study_epsilon(
        [replace(c, mechanism=alone(c.mechanism)) for c in charges], 1, DELTA, disjoint=True
    )
    assert whole * Decimal("1.3") < single < whole * 2
    assert epsilon_if_masks_fail(charges_of(protocol()), 1, DELTA, disjoint=True) is None


def test_an_epsilon_that_nobody_works_out_is_bounded():
    tiny = [replace(CHARGES[0], mechanism=SubsampledGaussian(Decimal(1), Fraction(1), 50, 100))]
    assert epsilon_if_masks_fail(tiny, 1, DELTA, disjoint=True) > 200


def test_a_mechanism_is_written_and_read():
    for mechanism in (
        Gaussian(Decimal("4.5"), 2, 3),
        SubsampledGaussian(Decimal("2.14"), Fraction(1, 5), 4, 2),
    ):
        assert mechanism_from_json(mechanism.to_json()) == mechanism
        assert mechanism.to_json()["shares"] == mechanism.shares
        assert "shares" not in replace(mechanism, shares=1).to_json()


@pytest.mark.parametrize("shares", [0, -1, 10_001, True, "2", 2.0])
def test_shares_out_of_range_are_refused(shares):
    with pytest.raises(UsageError, match="shared by 1 to 10,000"):
        Gaussian(Decimal(5), shares=shares)


def test_one_share_has_one_spelling():
    with pytest.raises(UsageError, match="names no shares"):
        mechanism_from_json({**Gaussian(Decimal(5)).to_json(), "shares": 1})


def test_a_ledger_keeps_the_figure_of_one_share(tmp_path):
    from ledger_site import approve, verify

    from securefl.privacy.audit import audit, extract
    from securefl.privacy.ledger import read_ledger
    from securefl.report.audit import extract_page
    from securefl.report.terminal import plain_text

    charges = tuple(replace(c, mechanism=replace(c.mechanism, shares=2)) for c in CHARGES)
    with new_ledger(tmp_path / "ledger.sqlite") as ledger:
        approve(
            ledger,
            1,
            charges=charges,
            terms=TERMS.model_copy(update={"epsilon_if_masks_fail": "1.5"}),
        )
        ledger.start(digest(1))
        reading = read_ledger(tmp_path / "ledger.sqlite", verify)
    (study,) = audit(reading).to_json()["datasets"][0]["studies"]
    assert [charge["noise_parts"] for charge in study["charges"]] == [2, 2]
    assert study["terms"]["epsilon_if_masks_fail"] == "1.5"
    said = plain_text(extract_page(extract(reading.events, digest(1))))
    assert "Its noise is shared: epsilon 1.5 if the masks failed" in said


def test_terms_without_shares_are_as_before():
    assert "epsilon_if_masks_fail" not in TERMS.model_dump(mode="json")
    assert ChargeTerms(**TERMS.model_dump(mode="json")) == TERMS


# --- what pages say


def test_the_request_says_what_the_figures_rest_on():
    study = shared_study(4, 2)
    cost = " ".join(explain_study.privacy_sentences(study))
    assert (
        "they hold against the researcher, the aggregator and 2 other hospitals together, and no"
        " more. A hospital that leaves out its share counts as one of these." in cost
    )
    alone_epsilon = explain_study.share_alone(study)
    assert f"(epsilon {alone_epsilon.normalize():f})" in cost
    seen = " ".join(explain_study.sum_sentences(study))
    assert "the shares of any 2 hospitals together are all of it" in seen
    assert "the privacy figures do not hold then" in seen
    assert "full noise for its own patients" not in seen
    assert "noise of 2 shares" in explain_study.figure_words(study)


def test_control_a_study_with_local_noise_says_none_of_it():
    study = protocol()
    assert "share" not in " ".join(explain_study.privacy_sentences(study))
    assert "full noise for its own patients" in " ".join(explain_study.sum_sentences(study))


def test_the_plan_has_both_epsilons(monkeypatch):
    # what other lengths cost takes seconds, and is the same with and without shares
    monkeypatch.setattr(Training, "longer", lambda self: ())
    monkeypatch.setattr(Training, "curve", lambda self: ((1, self.epsilon), (4, self.epsilon)))
    study = shared_study(4, 2)
    plan = plan_study(study, charges_of(study))
    said = plan.to_json()
    assert said["noise_shares"] == 2
    assert said["epsilon_if_masks_fail"] > said["epsilon"]
    local = plan_study(protocol(), charges_of(protocol())).to_json()
    assert (local["noise_shares"], local["epsilon_if_masks_fail"]) == (1, None)
    # five hospitals of which two share a noise carry two and a half of it
    ratio = said["noise"]["in_all"] / local["noise"]["in_all"]
    assert ratio == pytest.approx((2.5 / 5) ** 0.5)
    assert plan_page(plan)
