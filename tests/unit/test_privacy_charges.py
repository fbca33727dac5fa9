from decimal import Decimal

import pytest
from ledger_site import CHARGES, HISTOGRAM, STEP, TERMS
from pydantic import ValidationError

from securefl.errors import UsageError
from securefl.privacy.accounting import rdp_cost
from securefl.privacy.charges import Charge, ChargeTerms, all_attempts, total_cost
from securefl.privacy.ledger_events import Part


def test_every_release_counts_in_every_attempt():
    once = rdp_cost(STEP.with_count(40), 7) + rdp_cost(HISTOGRAM, 7)
    assert total_cost(CHARGES, 7, 1) == once
    assert total_cost(CHARGES, 7, 3) == 3 * once
    assert total_cost([], 7, 3) == 0


def test_the_accountants_see_all_attempts():
    assert [m.count for m in all_attempts(CHARGES, 3)] == [120, 3]


@pytest.mark.parametrize("kind", ["", "Statistics", "two words", "1st", "a" * 41])
def test_what_is_no_word_is_no_kind_of_release(kind):
    with pytest.raises(UsageError, match="kind of release"):
        Charge(kind, STEP)


def test_a_release_of_a_later_stage_can_be_charged():
    assert Charge("survival-curve", STEP).purpose == "survival-curve"


def test_terms_are_complete_and_nothing_else():
    with pytest.raises(ValidationError):
        ChargeTerms(clip_norm="1", normaliser="1", noise_source="x")
    with pytest.raises(ValidationError):
        ChargeTerms.model_validate({**TERMS.model_dump(), "shuffled": "yes"})
    assert TERMS.sampling == "poisson"
    assert TERMS.split == "disjoint-patients"


@pytest.mark.parametrize(
    "mechanism", [5, "gaussian", None, {"kind": "gaussian", "noise_multiplier": "5"}, {}]
)
def test_a_mechanism_in_an_event_is_read_strictly(mechanism):
    with pytest.raises(ValidationError):
        Part(purpose="update", mechanism=mechanism, cost=1)


def test_a_mechanism_in_an_event_survives():
    part = Part(purpose="update", mechanism=STEP, cost=1)
    assert Part.model_validate_json(part.model_dump_json()) == part
    assert part.mechanism.noise_multiplier == Decimal("4.98")
