"""What must follow from the totals of a study, worked out by a hospital for itself."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import SITES, fixed_identity
from in_process_federation import INSTANCES, RUN_KEYS, sealed_study

from securefl.errors import PUBLIC_CODES, BrokenRuleError, MessageError
from securefl.federation.following import Following
from securefl.federation.shown_opening import ShownOpening, readers_of, show_opening
from securefl.federation.study_progress import StudyProgress
from securefl.learning.models import weights_sha256
from securefl.secagg import seal
from securefl.secagg.packing import MARGIN_SDS
from securefl.secagg.ring import DEGREE, SPECIAL_MODULUS_BITS
from securefl.secagg.total_check import LARGEST_KEY_ERROR, RoundSecret

PAGE = Path(__file__).parents[2] / "docs" / "key-additive-sum.md"
FIVE = tuple(sorted(SITES))
PLAN = sealed_study()[1]
LAST = PLAN.last_round


def total(number):
    return np.arange(PLAN.length(number), dtype=np.int64) + number


def through(number):
    """A hospital and a coordinator after ``number`` rounds."""
    following, progress = Following(PLAN), StudyProgress(PLAN)
    for done in range(1, number + 1):
        following.check_start(done, weights_sha256(progress.broadcast()))
        following.take(done, total(done), 3)
        progress.absorb(total(done), 3)
    return following, progress


def test_each_round_of_a_study_follows_and_its_results_come_in_order():
    following, progress = through(LAST)
    assert following.verified == progress.done == LAST
    assert len(progress.results) == len(PLAN.programme.stages)


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_a_round_that_starts_from_the_last_bit_of_another_model_is_refused(number):
    following, progress = through(number - 1)
    theta = progress.broadcast().copy()
    following.check_start(number, weights_sha256(theta))
    theta[-1] = np.nextafter(theta[-1], 1.0)
    with pytest.raises(BrokenRuleError, match=f"round {number} does not start from"):
        following.check_start(number, weights_sha256(theta))


def test_a_round_before_the_total_of_the_last_one_is_refused():
    following, progress = through(1)
    with pytest.raises(BrokenRuleError, match="before the total of the last round"):
        following.check_start(3, weights_sha256(progress.broadcast()))


@pytest.mark.parametrize("number", [1, 3])
def test_a_total_out_of_its_turn_is_refused(number):
    following, _ = through(1)
    with pytest.raises(BrokenRuleError, match=f"a total of round {number} came after round 1"):
        following.take(number, total(1), 3)


def test_others_are_told_a_code_and_nothing_else():
    assert BrokenRuleError.code == "rule-broken"
    assert BrokenRuleError.code in PUBLIC_CODES
    assert BrokenRuleError("x").whose == "the coordinator"


def test_the_last_total_is_for_recipients_alone():
    names = PLAN.study.cohort
    assert readers_of(PLAN, 1, names) == names
    assert readers_of(PLAN, 1, names[1:]) == names[1:]
    only = sealed_study(('recipients = ["participants"]', 'recipients = ["aggregator"]'))[1]
    assert readers_of(only, 1, names) == names
    assert readers_of(only, only.last_round, names) == ()
    assert readers_of(PLAN, LAST, names) == names


def test_the_page_says_the_size_of_an_opening_and_its_bounds():
    plan = sealed_study(names=FIVE)[1]
    opening = show_opening(
        plan,
        1,
        "1" * 64,
        secret=RoundSecret(np.zeros(DEGREE, dtype=np.int8)),
        total_sha256="2" * 64,
        readers={site: INSTANCES[site] for site in FIVE},
        sign=fixed_identity("Researcher", "researcher").sign,
    )
    page = PAGE.read_text("utf-8").split("## Checking the coordinator", 1)[1].split("\n## ")[0]
    assert f"shows {len(opening):,} bytes to all" in page.replace("\n", " ")
    assert f"at most {LARGEST_KEY_ERROR} from zero" in page
    errors = LARGEST_KEY_ERROR * (2 * DEGREE + 1) / 2**SPECIAL_MODULUS_BITS
    assert errors < 0.05
    assert "below 0.05" in page
    assert (1 + (1 - seal.NOISE_LIMIT)) * MARGIN_SDS == 15
    assert 2 * math.exp(-(15**2) / 2) < 2**-160
    assert "below 2^-160" in page


def test_a_hospital_whose_run_has_no_usable_key_is_shown_nothing_and_stops_nobody():
    readers = {site: INSTANCES[site] for site in PLAN.study.cohort}
    unsound = PLAN.study.cohort[0]
    readers[unsound] = "0" * 64
    me = fixed_identity("Researcher", "researcher")
    secret = RoundSecret(np.ones(DEGREE, dtype=np.int8))
    data = show_opening(
        PLAN,
        1,
        "1" * 64,
        secret=secret,
        total_sha256="2" * 64,
        readers=readers,
        sign=me.sign,
    )
    shown = ShownOpening.open(data, study=PLAN.digest, verify=me.card.verify)
    for site in PLAN.study.cohort:
        reader = fixed_identity(site, "hospital").with_sealing_key(RUN_KEYS[site])
        if site == unsound:
            with pytest.raises(MessageError, match="not sealed to this hospital"):
                shown.read(reader)
        else:
            found, total_hash = shown.read(reader)
            assert np.array_equal(found.values, secret.values)
            assert total_hash == "2" * 64
        with pytest.raises(MessageError, match="not sealed to this hospital"):
            shown.read(fixed_identity(site, "hospital"))  # its identity alone opens nothing
