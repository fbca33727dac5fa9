import pytest
from secagg_round import NAMES
from secagg_survivors import COORDINATOR, Party, World, run_round

from securefl.errors import MessageError, RoundError, UnreadableError, UsageError
from securefl.secagg.holder import OrderRules
from securefl.secagg.survivors import Survivors, write_agreement, write_proposal

WORLD = World(NAMES, 4, 1)
TERMS = WORLD.terms()
ME = "SVI"


@pytest.fixture
def scene():
    """Everybody contributed; SVI has said nothing else."""
    parties = {name: Party(WORLD, name) for name in NAMES}
    frames = {name: parties[name].contribute() for name in NAMES}
    heads = {name: WORLD.head(data, name) for name, data in frames.items()}
    return Scene(parties, frames, heads)


class Scene:
    def __init__(self, parties, frames, heads):
        self.parties, self.frames, self.heads = parties, frames, heads
        self.me = parties[ME]

    def set(self, *without):
        return Survivors(
            TERMS, {name: head.sha256 for name, head in self.heads.items() if name not in without}
        )

    def proposal(self, *without):
        return write_proposal(self.set(*without), COORDINATOR, WORLD.coordinator.sign)

    def signatures(self, survivors, *names):
        return {
            name: write_agreement(survivors, name, WORLD.identities[name].sign)
            for name in names or survivors.names
        }

    def agree(self, *without, **changes):
        arguments = {
            "coordinator": COORDINATOR, "verify": WORLD.coordinator.card.verify, "heads": self.heads,
            "pair_seeds": WORLD.pair_seeds(ME), **changes,
        }  # fmt: skip
        return self.me.holder.agree(TERMS, self.proposal(*without), **arguments)

    def answer(self, survivors, *names, heads=None):
        signatures = self.signatures(survivors, *names)
        return self.me.holder.answer(
            survivors, signatures, verify=WORLD.verify, heads=heads or self.heads
        )


def test_nothing_is_sent_before_it_is_kept(scene):
    assert scene.me.holder.refused_dealer == ""
    record = scene.agree()
    assert scene.me.holder.resend("signature", TERMS.round_digest) is None
    with pytest.raises(UsageError, match="waits"):
        scene.answer(scene.set())
    assert (
        scene.me.keep(record)
        == record.message
        == scene.me.holder.resend("signature", TERMS.round_digest)
    )
    with pytest.raises(UsageError):
        scene.me.holder.confirm_durable(record)


def test_a_record_that_could_not_be_written_is_as_if_it_had_not_been_made(scene):
    scene.agree()
    scene.me.holder.discard()
    assert scene.me.keep(scene.agree("STMW"))


def test_one_signature_an_attempt(scene):
    scene.me.keep(scene.agree())
    for without in ((), ("STMW",)):
        with pytest.raises(RoundError, match="signed in this attempt"):
            scene.agree(*without)
    scene.me.restart()
    with pytest.raises(RoundError, match="signed in this attempt"):
        scene.agree("STMW")


def test_one_answer_a_round_whatever_the_attempt(scene):
    scene.me.keep(scene.answer(scene.set()))
    assert scene.me.holder.answered
    for restart in (False, True):
        if restart:
            scene.me.restart()
        with pytest.raises(RoundError, match="one answer"):
            scene.answer(scene.set("STMW"))
    frames = {name: Party(WORLD, name).contribute(2) for name in NAMES if name != ME} | {
        ME: scene.me.contribute(2)
    }
    heads = {name: WORLD.head(data, name, 2) for name, data in frames.items()}
    second = Survivors(WORLD.terms(2), {name: head.sha256 for name, head in heads.items()})
    with pytest.raises(RoundError, match="one answer"):
        scene.me.holder.answer(second, scene.signatures(second), verify=WORLD.verify, heads=heads)


def test_no_answer_without_the_signatures_of_enough_survivors(scene):
    everybody, small = scene.set(), scene.set("STMW")
    with pytest.raises(RoundError, match="3 survivors signed"):
        scene.answer(everybody, *NAMES[:3])
    mixed = {**scene.signatures(small), "SVI": scene.signatures(everybody, "SVI")["SVI"]}
    with pytest.raises(RoundError, match="3 survivors signed"):
        scene.me.holder.answer(small, mixed, verify=WORLD.verify, heads=scene.heads)


def test_an_answer_needs_no_signature_of_its_own(scene):
    assert scene.me.keep(scene.answer(scene.set(), *(name for name in NAMES if name != ME)))


def test_a_set_without_this_hospital_or_with_another_frame_of_it_gets_nothing(scene):
    with pytest.raises(RoundError, match="frame it sent"):
        scene.agree(ME)
    with pytest.raises(RoundError, match="frame it sent"):
        scene.answer(scene.set(ME))
    other = Survivors(TERMS, {**scene.set().frames, ME: "0" * 64})
    with pytest.raises(RoundError, match="frame it sent"):
        scene.answer(other)


def test_a_later_attempt_closes_the_one_before(scene):
    scene.me.contribute(2)
    assert scene.me.holder.attempt == 2
    with pytest.raises(RoundError, match="contributed to last"):
        scene.agree()
    with pytest.raises(RoundError, match="contributed to last"):
        scene.answer(scene.set())
    with pytest.raises(RoundError, match="has a contribution"):
        scene.me.contribute(1)


def test_one_contribution_an_attempt_and_the_same_bytes_after_a_restart(scene):
    with pytest.raises(RoundError, match="has a contribution"):
        scene.me.holder.contributed(TERMS, b"another", "0" * 64)
    scene.me.restart()
    again = scene.me.holder.resend("contribution", TERMS.round_digest)
    assert scene.frames[ME].startswith(again)


def test_one_that_did_not_contribute_signs_and_answers_nothing(scene):
    holder = WORLD.holder(ME)
    with pytest.raises(RoundError, match="contributed to last"):
        holder.answer(
            scene.set(), scene.signatures(scene.set()), verify=WORLD.verify, heads=scene.heads
        )


def test_a_proposal_that_is_not_the_coordinators_is_refused(scene):
    with pytest.raises(MessageError) as caught:
        scene.agree(verify=WORLD.cards["STMW"].verify)
    assert caught.value.whose == COORDINATOR


def test_a_head_that_is_missing_or_of_another_frame_is_refused(scene):
    for heads in (
        {ME: scene.heads[ME]},
        {**scene.heads, "STMW": WORLD.head(WORLD.frame("STMW", draw=bytes), "STMW")},
    ):
        with pytest.raises(MessageError, match="not the one in the survivor set"):
            scene.agree(heads=heads)
        assert scene.me.holder.refused_dealer == ""  # who put it there is not known
        with pytest.raises(MessageError, match="not the one in the survivor set"):
            scene.answer(scene.set(), heads=heads)


def test_a_pair_that_holds_different_seeds_is_seen_before_anybody_signs(scene):
    seeds = {**WORLD.pair_seeds(ME), "SVHC": bytes(32)}
    with pytest.raises(MessageError, match="different pair seeds") as caught:
        scene.agree(pair_seeds=seeds)
    assert caught.value.whose == scene.me.holder.refused_dealer == "SVHC"
    with pytest.raises(MessageError):  # the next set is refused for another reason
        scene.agree(verify=WORLD.cards["STMW"].verify)
    assert scene.me.holder.refused_dealer == ""
    scene.agree()
    assert scene.me.holder.refused_dealer == ""


def test_a_packet_that_does_not_open_is_refused_when_signing_and_left_out_when_answering(scene):
    data = WORLD.frame(
        "STMW", cards={**WORLD.cards, ME: WORLD.cards["SVHC"]}
    )  # sealed to somebody else
    scene.heads["STMW"] = WORLD.head(data, "STMW")
    with pytest.raises(MessageError, match="does not open") as caught:
        scene.agree()
    assert caught.value.whose == scene.me.holder.refused_dealer == "STMW"
    answer = scene.me.keep(scene.answer(scene.set()))
    assert b'"without":["STMW"]' in answer


@pytest.mark.parametrize("kind", ["contribution", "signature", "answer"])
def test_durable_records_that_contradict_each_other_stop_the_hospital(kind):
    proposer, _, parties = run_round(WORLD, NAMES)
    from dataclasses import replace

    party = parties[ME]
    record = next(r for r in party.disk if r.kind == kind)
    forged = replace(record, about="0" * 64)
    with pytest.raises(UnreadableError, match=kind):
        WORLD.holder(ME, [*party.disk, forged])
    assert WORLD.holder(ME, [*party.disk, record]).answered  # the same twice is one
    assert proposer.stage.value == "unmasked"


def test_a_record_shows_no_message(scene):
    assert "message" not in repr(scene.agree())


def test_after_a_restart_the_order_of_the_records_changes_nothing(scene):
    scene.me.keep(scene.agree())
    scene.me.keep(scene.answer(scene.set()))
    backwards = WORLD.holder(ME, scene.me.disk[::-1])
    assert (backwards.attempt, backwards.answered) == (1, True)


def test_another_round_under_the_same_number_gets_nothing(scene):
    """The coordinator announces the attempt anew, with other facts: this hospital contributed to
    the first one only.
    """
    other = World(NAMES, 4, 1, length=11)
    survivors = Survivors(other.terms(), {name: other.usual(name)[2].sha256 for name in NAMES})
    with pytest.raises(RoundError, match="contributed to last"):
        scene.answer(survivors)


def test_a_head_that_was_dealt_under_other_terms_is_refused(scene):
    from dataclasses import replace

    head = scene.heads["STMW"]
    moved = replace(head, dealing=replace(head.dealing, terms=WORLD.terms(2)))
    with pytest.raises(MessageError, match="not the one in the survivor set") as caught:
        scene.agree(heads={**scene.heads, "STMW": moved})
    assert caught.value.whose == "STMW or the store's operator"


def test_control_a_rule_is_off_only_where_the_constructor_says_so(scene):
    """The attacks' controls rest on it: the same hospital, restrained no more, signs and answers
    twice.
    """
    scene.me.more = {"restraint": OrderRules(one_signature=False, one_answer=False)}
    scene.me.restart()
    for without in ((), ("STMW",)):
        scene.me.keep(scene.agree(*without))
        scene.me.keep(scene.answer(scene.set(*without)))
    scene.me.restart()
    assert len([record for record in scene.me.disk if record.kind != "contribution"]) == 4
