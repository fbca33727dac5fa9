"""A study that goes on after a loss, in one process: the sum of exactly those that are left, and
never of too few.
"""

import io
from functools import reduce

import numpy as np
import pytest
from binary_models import Server
from conftest import SITES
from in_process_federation import INSTANCES, Room, going_on, head_in, histogram_of, sealed_study

from securefl.errors import MessageError, RoundError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.survivor_round import SurvivorRound
from securefl.secagg.streaming import write_survivors_sum
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.study.training import training_of

NAMES = tuple(sorted(SITES))
FOUR = ("min_contributors = 5", "min_contributors = 4")
PLAN = going_on(sealed_study(FOUR, names=NAMES)[1])
LOST = NAMES[2]
LAST = PLAN.last_round


class Losing(LocalExchange):
    """One hospital is lost from a stage of a round on; the frames of every round stay to be looked
    at.
    """

    def __init__(self, room, *lost):
        super().__init__(room.participants(), room.aggregator, self.is_there)
        self.lost, self.proposals, self.tallies = lost, {}, {}

    def is_there(self, site, number, stage):
        order = ("contribution", "signature", "answer")
        return all(
            site != s or (number, order.index(stage)) < (n, order.index(at))
            for s, n, at in self.lost
        )

    def conclude(self, tally, proposal, seconds):
        self.proposals[tally.terms.facts.round], self.tallies[tally.terms.facts.round] = (
            proposal,
            tally,
        )
        return super().conclude(tally, proposal, seconds)


def ran(*lost):
    room = Room(PLAN)
    exchange = Losing(room, *lost)
    return room, exchange, room.coordinator(exchange).run()


def assert_exact(room, outcome):
    """Every round is the exact sum of what its survivors made."""
    state = Server.start(PLAN.study, room.theta)
    for record in outcome.records:
        made = [room.hospitals[site].produced[record.round - 1] for site in record.contributions]
        total = reduce(np.add, made)
        if record.kind == "update":
            state = state.apply(total)
        else:
            assert np.array_equal(histogram_of(outcome), total)
    assert np.array_equal(outcome.theta, state.theta)


def test_without_a_loss_everybody_is_in_every_sum():
    room, _, outcome = ran()
    assert all(set(r.contributions) == set(NAMES) for r in outcome.records)
    assert_exact(room, outcome)


@pytest.mark.parametrize("number", [1, 3, LAST])
@pytest.mark.parametrize(
    ("stage", "counts"), [("contribution", False), ("signature", True), ("answer", True)]
)
def test_one_lost_hospital_is_gone_on_without(number, stage, counts):
    room, _, outcome = ran((LOST, number, stage))
    assert len(outcome.records) == LAST
    assert [LOST in r.contributions for r in outcome.records] == [
        r.round < number + counts for r in outcome.records
    ]
    assert_exact(room, outcome)


def test_the_second_loss_ends_the_study_and_names_who_is_missing():
    with pytest.raises(RoundError, match="3 of 4 hospitals are left, and 4 are needed") as over:
        ran((LOST, 1, "contribution"), (NAMES[0], 3, "contribution"))
    assert over.value.whose == NAMES[0]


@pytest.mark.parametrize(
    ("stage", "what"), [("signature", "no signature"), ("answer", "no unmasking answer")]
)
def test_two_lost_before_they_answered_open_nothing(stage, what):
    room = Room(PLAN)
    opened = []
    with pytest.raises(RoundError, match=f"{what}.* came from {NAMES[0]}, {LOST}"):
        room.coordinator(Losing(room, (LOST, 2, stage), (NAMES[0], 2, stage))).run(opened.append)
    assert [r.round for r in opened] == [1]


def test_a_contribution_that_is_not_whole_counts_as_none():
    room = Room(PLAN)

    class Spoiled(Losing):
        def gather(self, tally, seconds):
            inner = SurvivorRound.add_frame

            def add_frame(self, site, frame):
                inner(
                    self,
                    site,
                    (
                        io.BytesIO(frame.read()[:-1])
                        if (site, self.terms.facts.round) == (LOST, 2)
                        else frame
                    ),
                )

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(SurvivorRound, "add_frame", add_frame)
                super().gather(tally, seconds)

    outcome = room.coordinator(Spoiled(room)).run()
    assert [LOST in r.contributions for r in outcome.records] == [True, False, False, False, False]
    assert_exact(room, outcome)


def test_what_is_said_is_durable_before_it_is_said_and_once_a_round():
    room, _, _ = ran((LOST, 2, "contribution"))
    for site in NAMES:
        kinds = [(number, kind) for who, number, kind in room.said if who == site]
        assert len(kinds) == len(set(kinds))
        rounds = range(1, 2 if site == LOST else LAST + 1)
        assert kinds == [(number, kind) for number in rounds for kind in ("signature", "answer")]


def test_what_cannot_be_kept_is_not_said():
    room = Room(PLAN)

    def broken(terms, record):
        raise OSError("disk full")

    exchange = LocalExchange(
        [room.participant(s, **({"records": broken} if s == LOST else {})) for s in NAMES],
        room.aggregator,
    )
    with pytest.raises(OSError, match="disk full"):
        room.coordinator(exchange).run()


@pytest.fixture
def half():
    """Round 1 contributed to by all, and round 2 announced to nobody: (room, participants by name,
    tally).
    """
    room = Room(PLAN)
    keys, given = room.announce()
    people = {p.name: p for p in room.participants()}
    facts = PLAN.facts(
        1, keys.public.sha256, training_of(PLAN.study).model.initial_sha256, instances=INSTANCES
    )
    tally = SurvivorRound(PLAN, PLAN.terms(facts))
    for site, p in people.items():
        tally.add_frame(site, p.answer(given))
    return room, people, tally


def heads(room):
    """Where a hospital finds the heads of the frames of round 1."""
    return head_in({site: frame for (site, number), frame in room.kept.items() if number == 1})


def proposal_of(room, tally, names):
    survivors = Survivors(tally.terms, {s: tally.state.heads[s].sha256 for s in names})
    return survivors, write_proposal(survivors, "Researcher", room.researcher.sign)


def test_a_hospital_signs_one_set_and_answers_once(half):
    room, people, tally = half
    _, first = proposal_of(room, tally, NAMES)
    _, second = proposal_of(room, tally, NAMES[1:])
    me = people[NAMES[1]].later
    me.agree(first, heads(room)(me))
    with pytest.raises(RoundError, match="signed in this attempt already"):
        me.agree(second, heads(room)(me))


def test_no_answer_before_enough_have_signed(half):
    room, people, tally = half
    _, proposal = proposal_of(room, tally, NAMES)
    said = {s: people[s].later.agree(proposal, heads(room)(people[s].later)) for s in NAMES}
    me = people[NAMES[0]].later
    assert me.answer({s: said[s] for s in NAMES[:3]}) is None
    assert not me.answered
    assert (
        me.answer({**{s: said[s] for s in NAMES[:3]}, NAMES[4]: said[NAMES[3]]}) is None
    )  # another's signature is none
    assert me.answer(said) is not None
    assert me.answered
    with pytest.raises(RoundError, match="one answer is given"):
        me.answer(said)


def test_a_hospital_that_is_left_out_says_nothing_more(half):
    room, people, tally = half
    _, proposal = proposal_of(room, tally, [s for s in NAMES if s != LOST])
    with pytest.raises(RoundError, match="go on without this hospital"):
        people[LOST].later.agree(proposal, heads(room)(people[LOST].later))
    with pytest.raises(RoundError, match="signed no survivor set"):
        people[LOST].later.answer({})


def test_a_frame_that_is_gone_or_exchanged_is_refused_in_its_name(half):
    room, people, tally = half
    _, proposal = proposal_of(room, tally, NAMES)
    first, second = (people[s].later for s in NAMES[:2])
    with pytest.raises(
        MessageError, match=f"{LOST} is in the survivor set, and is not in the store"
    ):
        first.agree(proposal, lambda s: first.read(s, None if s == LOST else room.kept[s, 1]))
    with pytest.raises(MessageError, match=LOST):
        second.agree(proposal, lambda s: second.read(s, room.kept[NAMES[0] if s == LOST else s, 1]))


def test_a_proposal_by_anybody_else_is_refused(half):
    room, people, tally = half
    survivors, _ = proposal_of(room, tally, NAMES)
    with pytest.raises(MessageError, match="signature"):
        people[LOST].later.agree(
            write_proposal(survivors, "Researcher", room.operator.sign),
            heads(room)(people[LOST].later),
        )


@pytest.mark.parametrize(
    ("cohort", "why"),
    [
        (NAMES[:4], "go on without this hospital"), (NAMES, "not the one that the study describes"),
        (NAMES[2:], "not the one that the study describes"), ((*NAMES[1:], NAMES[1]), "not the one that the study describes"),
    ],
    ids=["without me", "one came back", "too few", "one twice"],
)  # fmt: skip
def test_nobody_comes_back_and_never_too_few(half, cohort, why):
    room, people, tally = half
    me = people[NAMES[4]]
    _, proposal = proposal_of(room, tally, NAMES[1:])
    me.later.agree(proposal, heads(room)(me.later))
    _, given = room.announce(2, cohort=tuple(cohort))
    with pytest.raises(RoundError, match=why):
        me.check(AnnouncedRound.open(PLAN, given.announcement))


def test_round_one_is_for_everybody():
    room = Room(PLAN)
    _, given = room.announce(1, cohort=NAMES[1:])
    with pytest.raises(RoundError, match="not the one that the study describes"):
        room.participant(NAMES[4]).check(AnnouncedRound.open(PLAN, given.announcement))


def test_an_aggregator_that_alters_the_sum_is_refused_before_it_is_decrypted():
    room = Room(PLAN)

    class Altering(Losing):
        def conclude(self, tally, proposal, seconds):
            super().conclude(tally, proposal, seconds)
            first, *rest = tally.sum_blocks()
            first = first.copy()
            first[0, 0, 0] ^= np.uint64(1)
            spool = io.BytesIO()
            head = write_survivors_sum(
                tally.state.survivors, iter([first, *rest]), spool, "Aggregator", room.operator.sign
            )
            return tally.check_sum(io.BytesIO(head + spool.getvalue()))

    with pytest.raises(RoundError, match="not the sum of the contributions"):
        room.coordinator(Altering(room, (LOST, 1, "contribution"))).run()


@pytest.mark.soak
def test_sixty_hospitals_lose_eight_and_the_sums_are_those_of_the_others():
    names = tuple(f"h{i:02d}" for i in range(60))
    plan = going_on(
        sealed_study(("min_contributors = 60", "min_contributors = 31"), names=names)[1]
    )
    room = Room(plan)
    lost = [(names[i], 2, "contribution") for i in range(5)] + [
        (names[i], 3, "answer") for i in range(5, 8)
    ]
    outcome = room.coordinator(Losing(room, *lost)).run()
    assert [len(r.contributions) for r in outcome.records] == [60, 55, 55, 52, 52]
    assert_exact(room, outcome)
