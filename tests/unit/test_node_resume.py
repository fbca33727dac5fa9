"""A hospital whose agent is killed anywhere and started again goes on: one contribution to each round,
paid once, and the study ends as if nothing had happened.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from consortium import Consortium
from killed_hospital import KINDS, ME, World, approved
from killed_run import Killer

from securefl.federation.messages import End
from securefl.federation.study_board import StudyBoard

#: Cases in each run of the tests, beside those of `tests/property/test_faults_in_rounds.py`;
#: `SECUREFL_FAULT_CASES=all` goes through every one.
CASES = 3
SEED = 31
#: What a hospital does in such a study that is durable or leaves.
ACTS = {"full": 15, "survivors": 25}


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


def completed(world):
    """The outcome of the study; every hospital has seen its end."""
    outcome = world.coordinator.run()
    said = End(world.study.digest, "completed", len(outcome.records), "")
    StudyBoard(world.board, world.study.digest).end.post(
        said.dump(world.c.lab.folder.identity.sign)
    )
    world.finish()
    return outcome


@pytest.fixture(scope="module")
def undisturbed(c):
    found = {}
    for kind in KINDS:
        with pytest.MonkeyPatch.context() as patched:
            world = World(c, approved(c, f"undisturbed-{kind}", kind), patched)
            found[kind] = completed(world), world.killer.acts
    return found


def cases():
    found = [
        (kind, act, after) for kind, acts in ACTS.items() for act in range(acts) for after in (0, 1)
    ]
    if os.environ.get("SECUREFL_FAULT_CASES") == "all":
        return found
    return sorted(random.Random(SEED).sample(found, CASES))


def test_the_acts_among_which_kills_are_drawn_are_all_there_are(undisturbed):
    assert {kind: len(acts) for kind, (_, acts) in undisturbed.items()} == ACTS


@pytest.mark.parametrize(("kind", "place", "after"), cases())
def test_killed_anywhere_the_hospital_goes_on(c, undisturbed, monkeypatch, kind, place, after):
    study = approved(c, f"k-{kind[:1]}-{place}-{after}", kind)
    world = World(c, study, monkeypatch)
    world.killer = Killer(place, bool(after))
    outcome = completed(world)
    me = world.houses[ME]

    assert world.kills == 1
    assert me.starts == 2
    assert np.array_equal(outcome.theta, undisturbed[kind][0].theta)
    assert all(len(record.contributions) == 3 for record in outcome.records)
    if me.run._resumed:  # taken up without waiting for its worker
        assert "check" not in me.run.entering.worker.did
    # one wording of all that left, however often it left
    assert set(world.posted.wordings(f"contributions/{ME}", f"agreements/{ME}").values()) == {1}
    state = me.site.ledger.state.study(study.digest)
    assert len(state.sent) == study.plan.last_round
    assert state.reservation.population == "clinic"
    folder = me.site.study_folder(study.digest)
    assert (folder / "verified" / "model").exists()
    # the last total is verified by whoever signed for it; two signatures of three are enough here
    signed = kind == "full" or (folder / "said" / "00002-signature").exists()
    assert (folder / "verified" / "histogram").exists() is signed
    # nothing is drawn again for what is on the disk
    assert sum(me.drawn.values()) <= study.plan.last_round + 1
