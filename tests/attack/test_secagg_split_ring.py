"""Beyond 20 hospitals: a coordinator that knows the ring picks who is lost, so that the survivors
fall apart into pieces it can open.
"""

import pytest
from secagg_adversary import Adversary
from secagg_round import digest_of
from secagg_survivors import World

from securefl.errors import StudyError
from securefl.secagg.neighbours import Degree, Neighbours
from securefl.secagg.survivor_terms import SurvivorTerms
from securefl.secagg.survivors import Survivors
from securefl.secagg.unmasking import write_answer

NAMES = [f"H{i:02}" for i in range(24)]
COLLUDERS, NEEDED = 2, 14


class Ring(World):
    """Terms whose share threshold a test chooses."""

    def __init__(self, share_threshold=None):
        super().__init__(NAMES, NEEDED, COLLUDERS, ring_seed=digest_of("drawn"), dropouts=2)
        usual = super().terms()
        if share_threshold is not None:
            degree = Degree(usual.neighbours.degree, 0, share_threshold, 0.0, 0.0)
            weak = Neighbours.sparse(usual.cohort, degree, usual.neighbours.seed)
            self._terms[1] = SurvivorTerms(usual.facts, NEEDED, COLLUDERS, weak)


def opened(world, lost, own):
    """What opens when every honest survivor answers for the set without ``lost``: a set that was
    signed, as far as they know.
    """
    terms = world.terms()
    adversary = Adversary(world, own)
    for name in world.names:
        adversary.sees_contribution(name, 1)
    left = [name for name in world.names if name not in lost]
    heads = {name: world.usual(name)[2] for name in left}
    survivors = Survivors(terms, {name: head.sha256 for name, head in heads.items()})
    dealings = {name: head.dealing for name, head in heads.items()}
    for name in left:
        if name not in adversary.own:
            who = world.identities[name]
            adversary.sees_answer(
                write_answer(survivors, name, dealings, unseal=who.unseal, sign=who.sign),
                survivors,
                name,
            )
    return [names for _, names in adversary.opened()], frozenset(left) - adversary.own


def stretches(world, *pairs):
    """Hospitals of the ring from a place on, so many of them."""
    ring = world.terms().neighbours.ring
    return [ring[(start + i) % len(ring)] for start, count in pairs for i in range(count)]


CUTS = [
    ((0, 5), (12, 5)), ((0, 4), (10, 4)), ((0, 2), (12, 2)), ((3, 6),), ((3, 2),), ((0, 1), (6, 1), (12, 1)), (),
    ((0, 3), (8, 3), (16, 3)), ((0, 10),),
]  # fmt: skip


@pytest.fixture(scope="module")
def ring():
    return Ring()


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize(
    "colluding",
    [(), ((5, 1), (17, 1)), ((6, 2),)],
    ids=["no colluder", "beside both cuts", "in one place"],
)
def test_whoever_is_dropped_the_whole_opens_or_nothing(ring, cut, colluding):
    own = stretches(ring, *colluding)
    lost = [name for name in stretches(ring, *cut) if name not in own]
    found, whole = opened(ring, lost, own)
    assert found in ([], [whole])


def test_with_few_losses_the_whole_does_open(ring):
    found, whole = opened(ring, stretches(ring, (3, 1), (15, 1)), [])
    assert found == [whole]


def test_control_with_a_share_threshold_of_less_than_half_the_ring_falls_in_two(monkeypatch):
    monkeypatch.setattr(Neighbours, "least_threshold", lambda *_: 1)
    weak = Ring(share_threshold=4)
    half = weak.terms().neighbours.degree // 2
    found, whole = opened(
        weak,
        stretches(weak, (0, half - 1), (12, half - 1)),
        stretches(weak, (half - 1, 1), (11 + half, 1)),
    )
    assert len(found) == 2
    assert found[0] | found[1] == whole
    assert not found[0] & found[1]


def test_terms_refuse_such_a_threshold():
    with pytest.raises(StudyError, match="not safe"):
        Ring(share_threshold=4)
