import numpy as np
import pytest
from secagg_round import NAMES
from secagg_survivors import COORDINATOR, Party, World, run_round

from securefl.errors import MessageError, RoundError, UsageError
from securefl.secagg.proposer import Stage
from securefl.secagg.survivors import Survivors, write_agreement

WORLD = World(NAMES, 4, 1)


def heads_of(names, attempt=1, world=WORLD):
    return {name: world.check(world.frame(name, attempt), name, attempt) for name in names}


def collected(names=NAMES):
    proposer = WORLD.proposer()
    for head in heads_of(names).values():
        proposer.add_contribution(head)
    return proposer


def test_the_stages_of_an_attempt_and_whom_it_waits_for():
    parties = {name: Party(WORLD, name) for name in NAMES}
    frames = {name: parties[name].contribute() for name in NAMES[:4]}
    heads = {name: WORLD.check(data, name) for name, data in frames.items()}
    proposer = WORLD.proposer()
    for head in heads.values():
        proposer.add_contribution(head)
    assert (proposer.stage, proposer.waiting_for) == (Stage.COLLECTING, ("SVI",))
    proposal = WORLD.propose(proposer)
    assert (proposer.stage, proposer.waiting_for) == (Stage.PROPOSED, proposer.survivors.names)
    for name in NAMES[:4]:
        proposer.add_agreement(name, parties[name].agree(proposal, heads))
    assert (proposer.stage, proposer.waiting_for) == (Stage.AGREED, proposer.survivors.names)
    with pytest.raises(RoundError, match="have answered"):
        proposer.unmasking()
    for name in NAMES[:4]:
        proposer.add_answer(
            name, parties[name].answer(proposer.survivors, proposer.agreements, heads)
        )
    assert (proposer.stage, proposer.waiting_for) == (Stage.UNMASKED, ())
    assert np.array_equal(WORLD.opened(proposer.unmasking(), frames), WORLD.truth(NAMES[:4]))


def test_everything_may_come_twice_or_late():
    proposer, frames, parties = run_round(WORLD, NAMES)
    for name in NAMES:
        proposer.add_agreement(
            name, parties[name].holder.resend("signature", WORLD.terms().round_digest)
        )
        proposer.add_answer(name, parties[name].holder.resend("answer", WORLD.terms().round_digest))
    assert np.array_equal(WORLD.opened(proposer.unmasking(), frames), WORLD.truth(NAMES))


def test_a_second_different_frame_of_a_hospital_is_refused_in_its_name():
    proposer = collected()
    proposer.add_contribution(proposer._heads["SVI"])  # the same again changes nothing
    for head in (WORLD.check(WORLD.frame("SVI", draw=bytes), "SVI"), heads_of(["SVI"], 2)["SVI"]):
        with pytest.raises(MessageError, match="second one") as caught:
            proposer.add_contribution(head)
        assert caught.value.whose == "SVI"


def test_one_attempt_has_one_proposal():
    proposer = collected()
    first = WORLD.propose(proposer)
    assert WORLD.propose(proposer, without=frozenset({"SVI"})) == first
    with pytest.raises(UsageError, match="later frames"):
        proposer.add_contribution(heads_of(["SVI"])["SVI"])


def test_too_few_frames_make_no_proposal_and_nothing_can_follow():
    proposer = collected(NAMES[:3])
    with pytest.raises(RoundError, match="needed"):
        WORLD.propose(proposer)
    assert proposer.stage is Stage.COLLECTING
    for call in (
        lambda: proposer.survivors,
        lambda: proposer.add_agreement("SVI", b""),
        lambda: proposer.add_answer("SVI", b""),
    ):
        with pytest.raises(UsageError):
            call()


def test_a_pair_that_quarrels_is_named_and_one_of_the_two_can_be_left_out():
    odd = World(NAMES, 4, 1)
    odd._secrets["SVHC", "SVI"] = bytes(32)
    frames = {name: (odd if name == "SVI" else WORLD).frame(name) for name in NAMES}
    proposer = WORLD.proposer()
    for name, data in frames.items():
        proposer.add_contribution(WORLD.check(data, name))
    assert proposer.quarrels() == [("SVHC", "SVI")]
    with pytest.raises(RoundError, match="different pair seeds") as caught:
        WORLD.propose(proposer)
    assert caught.value.whose == "SVHC or SVI"
    WORLD.propose(proposer, without=frozenset({"SVI"}))
    assert proposer.survivors.lost == {"SVI"}


def test_signatures_under_another_set_or_by_others_are_refused():
    proposer = collected()
    WORLD.propose(proposer, without=frozenset({"STMW"}))
    everybody = Survivors(
        WORLD.terms(), {name: head.sha256 for name, head in proposer._heads.items()}
    )
    for name, survivors in (("SVI", everybody), ("STMW", proposer.survivors)):
        with pytest.raises(MessageError, match="another set") as caught:
            proposer.add_agreement(
                name, write_agreement(survivors, name, WORLD.identities[name].sign)
            )
        assert caught.value.whose == name
    with pytest.raises(MessageError):
        proposer.add_agreement("SVI", b"nonsense")
    assert proposer.agreements == {}


def test_four_answers_are_enough_though_a_fifth_lies():
    proposer, frames, parties = run_round(WORLD, NAMES, answer=NAMES[:4])
    bad = bytearray(parties["SVI"].answer(proposer.survivors, proposer.agreements, proposer._heads))
    bad[-1] ^= 1
    with pytest.raises(MessageError) as caught:
        proposer.add_answer("SVI", bytes(bad))
    assert caught.value.whose == "SVI"
    assert np.array_equal(WORLD.opened(proposer.unmasking(), frames), WORLD.truth(NAMES))


def test_the_proposal_is_signed_by_the_coordinator():
    assert COORDINATOR.encode() in WORLD.propose(collected())


def test_a_frame_to_another_attempt_is_refused_though_it_is_the_first_of_its_hospital():
    proposer = collected(NAMES[:4])
    with pytest.raises(MessageError, match="another attempt"):
        proposer.add_contribution(heads_of(["SVI"], 2)["SVI"])
    assert proposer.waiting_for == ("SVI",)


def test_a_refused_frame_does_not_take_the_place_of_the_first():
    proposer = collected()
    first = proposer._heads["SVI"].sha256
    with pytest.raises(MessageError):
        proposer.add_contribution(WORLD.check(WORLD.frame("SVI", draw=bytes), "SVI"))
    WORLD.propose(proposer)
    assert proposer.survivors.frames["SVI"] == first


def test_it_waits_for_those_who_have_not_signed_then_for_those_who_have_not_answered():
    proposer, _, parties = run_round(WORLD, NAMES, agree=NAMES[:2], answer=())
    assert (proposer.stage, set(proposer.waiting_for)) == (Stage.PROPOSED, set(NAMES[2:]))
    proposal = WORLD.propose(proposer)
    for name in NAMES[2:]:
        proposer.add_agreement(name, parties[name].agree(proposal, proposer._heads))
    for name in NAMES[:3]:
        proposer.add_answer(
            name, parties[name].answer(proposer.survivors, proposer.agreements, proposer._heads)
        )
    assert (proposer.stage, set(proposer.waiting_for)) == (Stage.AGREED, set(NAMES[3:]))
    proposer.add_answer(
        NAMES[3], parties[NAMES[3]].answer(proposer.survivors, proposer.agreements, proposer._heads)
    )
    assert (proposer.stage, proposer.waiting_for) == (
        Stage.UNMASKED,
        (),
    )  # four are enough, nobody waits for the fifth


def test_quarrels_are_named_in_the_order_of_names_whoever_came_first():
    odd = World(NAMES, 4, 1)
    odd._secrets |= {("SVHC", "SVI"): bytes(32), ("STMW", "SVI"): b"1" * 32}
    proposer = WORLD.proposer()
    for name in sorted(NAMES, reverse=True):
        proposer.add_contribution(WORLD.check((odd if name == "SVI" else WORLD).frame(name), name))
    assert proposer.quarrels() == [("STMW", "SVI"), ("SVHC", "SVI")]


def test_the_stages_have_the_names_that_people_read():
    assert [stage.value for stage in Stage] == ["collecting", "proposed", "agreed", "unmasked"]
