"""Whoever writes to the store, and signs nothing: no byte, folder or link of theirs ends a study or leads a party's writes astray."""

from types import SimpleNamespace

import pytest
from conftest import SITES, fixed_identity
from federation_room import Room, going_on, sealed_study

from securefl.errors import RoundError
from securefl.federation import paths
from securefl.federation.aggregator import announced_facts
from securefl.node.saying import Saying
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.store import Store

FIVE = tuple(sorted(SITES))
ROUND = 2


class Late:
    """A hospital about to train for round 2 of a study that goes on after a loss."""

    def __init__(self, folder):
        self.room = Room(going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=FIVE)[1]))
        self.store = Store(str(folder))
        self.at = paths.RoundPaths(self.room.plan.digest, ROUND, 1)
        self.saying = Saying(SimpleNamespace(name=FIVE[0], store=self.store), self.room.plan, print)
        _, given = self.room.announce(ROUND)
        self.announcement = given.announcement

    def proposal(self, *, by=None, announcement=None):
        terms = self.room.plan.terms(announced_facts(self.room.plan, announcement or self.announcement))
        return write_proposal(Survivors(terms, dict.fromkeys(terms.cohort[1:], "ab" * 32)), "Researcher", (by or self.room.researcher).sign)

    def goes_on(self):
        self.saying.check_in_time(self.announcement)


@pytest.fixture
def late(tmp_path):
    return Late(tmp_path)


def test_the_control_the_coordinators_own_survivor_set_ends_the_study_at_a_late_hospital(late):
    late.goes_on()
    late.store.put(late.at.proposal, late.proposal())
    with pytest.raises(RoundError, match="not there in time"):
        late.goes_on()


@pytest.mark.parametrize("what", ["a byte", "a folder", "far too much", "signed by another", "of another round", "of another announcement"])
def test_what_the_coordinator_did_not_sign_for_this_round_ends_nothing(late, what):
    if what == "a folder":
        late.store.put(f"{late.at.proposal}/x", b"")
    else:
        late.store.put(late.at.proposal, {
            "a byte": lambda: b"x",
            "far too much": lambda: bytes(1 << 20),
            "signed by another": lambda: late.proposal(by=fixed_identity("Stranger", "researcher")),
            "of another round": lambda: late.proposal(announcement=late.room.announce(1)[1].announcement),
            "of another announcement": lambda: late.proposal(announcement=late.room.announce(ROUND)[1].announcement),
        }[what]())  # fmt: skip
    assert late.store.exists(late.at.proposal)  # the attack on a hospital that asks for no more than this
    late.goes_on()
