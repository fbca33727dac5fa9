"""After a survivor set, only the frame that the set names counts, whatever lies in its place."""

from types import SimpleNamespace

import pytest

from securefl.errors import MessageError
from securefl.secagg.proposer import Proposer

NAMED, ANOTHER = "aa" * 32, "bb" * 32


def head(sha256, sender="SVI"):
    return SimpleNamespace(sender=sender, sha256=sha256)


@pytest.fixture
def proposer():
    made = Proposer(SimpleNamespace(cohort=("SVHC", "SVI"), round_digest="cc" * 32), None)
    made.adopt(SimpleNamespace(frames={"SVI": NAMED}))
    return made


def test_the_frame_that_the_set_names_takes_the_place_of_another(proposer):
    proposer._heads["SVI"] = head(ANOTHER)
    assert proposer.waits_for_frame_of("SVI")
    with pytest.raises(MessageError, match="SVI"):
        proposer.check_frames()
    proposer.add_named(head(NAMED))
    assert not proposer.waits_for_frame_of("SVI")
    proposer.check_frames()


def test_another_frame_than_the_named_one_is_refused_and_its_hospital_is_named(proposer):
    proposer.add_named(head(NAMED))
    with pytest.raises(MessageError, match="SVI"):
        proposer.add_named(head(ANOTHER))
    proposer.check_frames()


def test_a_frame_of_which_the_set_says_nothing_is_let_through(proposer):
    proposer.add_named(head(ANOTHER, sender="SVHC"))
    assert not proposer.waits_for_frame_of("SVHC")


def test_a_named_frame_that_is_not_here_is_missed(proposer):
    assert proposer.waits_for_frame_of("SVI")
    with pytest.raises(MessageError, match="SVI"):
        proposer.check_frames()
