from dataclasses import replace

import pytest
from secagg_round import NAMES, digest_of, make_facts

from securefl.errors import StudyError
from securefl.secagg.neighbours import Degree, Neighbours
from securefl.secagg.survivor_terms import SurvivorTerms

SEED = digest_of("seed")
MANY = tuple(f"H{i:03}" for i in range(40))


def terms(names=NAMES, t=4, c=1, **more):
    return SurvivorTerms.for_round(make_facts(names), min_contributors=t, colluders=c, **more)


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
        terms(MANY, 30, 2, ring_seed=SEED).round_digest,
        terms(MANY, 30, 2, ring_seed=digest_of("another")).round_digest,
    }
    assert len(digests) == 7
    assert one.digest_bytes.hex() == one.round_digest


def test_past_twenty_hospitals_the_graph_is_sparse_and_was_drawn():
    with pytest.raises(StudyError, match="seed was not drawn"):
        terms(MANY, 36, 2)
    sparse = terms(MANY, 36, 2, ring_seed=SEED)
    assert sparse.neighbours.degree < 39
    assert sparse.cohort == MANY


def test_where_no_sparse_graph_is_safe_everybody_is_a_neighbour():
    assert terms(MANY, 39, 30).neighbours.degree == 39


def test_a_graph_that_is_not_safe_or_not_the_cohorts_is_refused():
    facts = make_facts(MANY)
    weak = Neighbours.sparse(MANY, Degree(8, 0, 5, 0.0, 0.0), SEED)
    with pytest.raises(StudyError, match="not safe"):
        SurvivorTerms(facts, 36, 2, weak)
    with pytest.raises(StudyError, match="another cohort"):
        SurvivorTerms(facts, 36, 2, Neighbours.complete(NAMES, 36))
    with pytest.raises(StudyError, match="not safe"):
        SurvivorTerms(make_facts(), 4, 1, Neighbours.complete(NAMES, 3))


@pytest.mark.parametrize(
    ("k", "t", "c"), [(5, 6, 1), (5, 5, 4), (40, 30, -1), (40, 41, 2), (40, 3, 3), (2, 1, 0)]
)
def test_rule_4_is_kept_by_each_of_its_parts(k, t, c):
    """t beyond the cohort; t one short of c + 2; no such number of colluders: each breaks one part
    alone, or the planning before it.
    """
    with pytest.raises(StudyError, match="two sets could be opened"):
        terms(tuple(f"H{i:02}" for i in range(k)), t, c, ring_seed=SEED)


def test_without_colluders_rule_4_can_hold_too():
    assert terms(c=0, t=3).neighbours.share_threshold == 3
    assert terms(MANY, 36, 0, ring_seed=SEED).neighbours.degree < 39
    assert terms(MANY, 40, 2, ring_seed=SEED).neighbours.degree == 8  # nobody may be lost


def test_up_to_twenty_hospitals_the_graph_is_complete_though_a_sparse_one_would_be_safe():
    twenty, more = (tuple(f"H{i:02}" for i in range(k)) for k in (20, 21))
    assert terms(twenty, 20, 0).neighbours.degree == 19
    assert terms(more, 21, 0, ring_seed=SEED).neighbours.degree == 4


def test_fewer_random_losses_to_bear_make_a_sparser_graph():
    assert (
        terms(MANY, 30, 2, ring_seed=SEED, dropouts=1).neighbours.degree
        < terms(MANY, 30, 2, ring_seed=SEED).neighbours.degree
    )


def test_a_seed_that_takes_more_shares_than_there_are_holders_is_refused():
    whole = Neighbours.complete(NAMES, 5)
    assert SurvivorTerms(make_facts(), 4, 1, whole).neighbours.share_threshold == 5
    with pytest.raises(StudyError, match="not safe"):
        SurvivorTerms(make_facts(), 4, 1, replace(whole, share_threshold=6))
