from dataclasses import replace

import pytest
from secagg_round import NAMES, make_facts

from securefl.errors import StudyError
from securefl.secagg.survivor_terms import SurvivorTerms

MANY = tuple(f"H{i:03}" for i in range(40))


def terms(names=NAMES, t=4, c=1):
    return SurvivorTerms(make_facts(names), t, c)


def test_five_hospitals_and_one_colluder_need_four():
    assert terms().neighbours.share_threshold == 4
    with pytest.raises(StudyError, match="from 4 to 5"):
        terms(t=3)


@pytest.mark.parametrize(
    ("k", "t", "c"), [(5, 6, 0), (5, 4, 3), (5, 1, 0), (4, 3, 2), (6, 3, 0), (5, 4, -1), (3, 2, 1)]
)
def test_rule_4_is_kept(k, t, c):
    with pytest.raises(StudyError):
        terms(tuple(f"H{i}" for i in range(k)), t, c)


def test_every_number_of_the_terms_is_in_the_digest():
    one = terms()
    digests = {
        one.round_digest,
        terms(t=5).round_digest,
        terms(c=2).round_digest,
        replace(one, facts=replace(one.facts, attempt=2)).round_digest,
        one.facts.digest(),
        terms(MANY, 30, 2).round_digest,
    }
    assert len(digests) == 6
    assert one.digest_bytes.hex() == one.round_digest


def test_everybody_is_a_neighbour_however_many_they_are():
    assert terms(MANY, 39, 30).neighbours.degree == 39
    assert terms(MANY, 36, 2).neighbours.share_threshold == 36
    assert terms(MANY, 36, 2).cohort == MANY


@pytest.mark.parametrize(
    ("k", "t", "c"), [(5, 6, 1), (5, 5, 4), (40, 30, -1), (40, 41, 2), (40, 3, 3), (2, 1, 0)]
)
def test_rule_4_is_kept_by_each_of_its_parts(k, t, c):
    """t beyond the cohort; t one short of c + 2; no such number of colluders: each breaks one part
    alone.
    """
    with pytest.raises(StudyError, match="two sets could be opened"):
        terms(tuple(f"H{i:02}" for i in range(k)), t, c)


def test_without_colluders_rule_4_can_hold_too():
    assert terms(c=0, t=3).neighbours.share_threshold == 3
