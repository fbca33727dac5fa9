"""Anybody with the study can add a round again, and whatever was changed afterwards is found, in
the name of whose it is.
"""

import io
from dataclasses import replace

import numpy as np
import pytest
from conftest import SITES, fixed_identity
from in_process_federation import Room, announced_context, going_on, sealed_study
from secagg_whole import write_sum

from securefl.boards.opening import open_board
from securefl.errors import RoundError, UsageError
from securefl.federation import paths, verifying
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.messages import Status
from securefl.federation.transcript import Transcript, transcript_sha256
from securefl.federation.verifying import last_transcript, verify_round
from securefl.party.rounds_view import RoundsView
from securefl.secagg.frame import contribution_blocks, write_contribution

NAMES = tuple(sorted(SITES))
WHOLE = sealed_study()[1]
GOING = going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=NAMES)[1])


class Posting(LocalExchange):
    """Everything that passes in one process is in a store as well, as the parties of a real run
    leave it there.
    """

    def __init__(self, room, store, lost=()):
        self.room, self.board, self.lost = room, store, lost
        super().__init__(
            room.participants(),
            room.aggregator,
            lambda site, number, stage: (site, number, stage) not in lost,
        )

    def at(self, facts):
        return paths.RoundPaths(self.room.plan.digest, facts.round)

    def broadcast(self, facts, given):
        super().broadcast(facts, given)
        self.board.post(self.at(facts).announcement, given.announcement)

    def _contributions(self, facts):
        for (site, number), frame in self.room.kept.items():
            if number == facts.round:
                self.board.post(self.at(facts).contribution(site), frame)

    def collect(self, arrivals, seconds):
        self._post_sum(arrivals, self.at(arrivals.facts).sum)
        claimed = super().collect(arrivals, seconds)
        self._contributions(arrivals.facts)
        return claimed

    def _post_sum(self, here, path):
        """Whatever sum is checked ``here`` lies in the store, too."""
        check = here.check_sum

        def post(file):
            self.board.post_file(path, file)
            file.seek(0)
            return check(file)

        here.check_sum = post

    def conclude(self, tally, proposal, seconds):
        facts = tally.terms.facts
        at, later = (
            self.at(facts),
            {p.name: p.later for p in self._participants if p.name in tally.state.survivors.frames},
        )
        self._contributions(facts)
        self.board.post(at.proposal, proposal)
        hear, agree = tally.state.add_answer, tally.state.add_agreement
        tally.state.add_agreement = lambda site, data: (
            self.board.post(at.agreement(site), data),
            agree(site, data),
        )
        tally.state.add_answer = lambda site, data: (
            self.board.post(at.answer(site), data),
            hear(site, data),
        )
        self._post_sum(tally, at.sum)
        assert later
        return super().conclude(tally, proposal, seconds)

    def leave(self, number, transcript):
        super().leave(number, transcript)
        self.board.post(paths.RoundPaths(self.room.plan.digest, number).transcript, transcript)


class Ran:
    def __init__(self, plan, lost=()):
        self.plan, self.room = plan, Room(plan)
        self.board = open_board(f"memory://verify-{id(self)}")
        self.outcome = self.room.coordinator(Posting(self.room, self.board, lost)).run()

    def at(self, number):
        return paths.RoundPaths(self.plan.digest, number)

    def check(self, number):
        return verify_round(self.board, self.plan, number)


@pytest.fixture(scope="module")
def _whole():
    return Ran(WHOLE)


@pytest.fixture(scope="module")
def _going():
    return Ran(
        GOING,
        {
            (NAMES[2], 1, "answer"),
            *((NAMES[1], n, "contribution") for n in range(2, GOING.last_round + 1)),
        },
    )


@pytest.fixture
def run(request):
    """A study that ran; what a test changes in its store is put back."""
    ran = request.getfixturevalue(request.param)
    before = {
        name: ran.board.read(name, 1 << 30)
        for name in _objects(ran.board, f"studies/{ran.plan.digest}")
    }
    yield ran
    for name, data in before.items():
        ran.board.post(name, data)


def _objects(store, prefix):
    names = store.names(prefix)
    return [prefix] if not names else [o for n in names for o in _objects(store, f"{prefix}/{n}")]


whole = pytest.mark.parametrize("run", ["_whole"], indirect=True)
going = pytest.mark.parametrize("run", ["_going"], indirect=True)
both = pytest.mark.parametrize(
    "run", ["_whole", "_going"], indirect=True, ids=["everybody", "survivors"]
)


@both
def test_every_round_of_a_study_holds(run):
    assert last_transcript(run.board, run.plan) == run.plan.last_round
    before = ""
    for record in run.outcome.records:
        found = run.check(record.round)
        said = found.transcript
        assert (dict(said.contributions), said.sum_sha256, said.previous) == (
            record.contributions,
            record.sum_sha256,
            before,
        )
        before = found.transcript_sha256


@going
def test_it_says_who_was_lost_and_who_signed_the_survivors(run):
    assert (
        run.check(1).signed_by == NAMES
    )  # everybody contributed and signed; one answer less was enough
    second = run.check(2)
    assert second.absent == (NAMES[1],)
    assert second.signed_by == tuple(n for n in NAMES if n != NAMES[1])
    assert run.check(3).absent == (NAMES[1],)
    assert NAMES[1] not in run.check(3).transcript.cohort


@both
def test_another_contribution_is_refused_in_its_hospitals_name(run):
    path = run.at(2).contribution(NAMES[0] if run.plan is GOING else run.plan.study.cohort[0])
    frame = bytearray(run.board.read(path, 1 << 30))
    frame[-1000] ^= 1
    run.board.post(path, bytes(frame))
    with pytest.raises(RoundError) as refused:
        run.check(2)
    assert run.plan.study.cohort[0] in refused.value.what
    assert "whoever can write into the store" in refused.value.whose  # one byte is no signature
    run.check(1)


@both
def test_what_was_removed_is_named(run):
    path = run.at(1).sum
    run.board.erase(path)
    with pytest.raises(RoundError, match="sum of round 1 is not in the store"):
        run.check(1)
    run.board.erase(run.at(2).transcript)
    with pytest.raises(RoundError, match="transcript of round 2 is not in the store"):
        run.check(2)
    with pytest.raises(RoundError, match="transcript of round 2 is not in the store"):
        run.check(3)  # the chain is broken there


@whole
def test_a_sum_that_is_not_the_sum_is_found_though_the_aggregator_signed_it(run):
    from secagg_whole import read_contribution

    facts = announced_context(run.plan, run.board.read(run.at(1).announcement, 1 << 20))
    one = {
        s: read_contribution(
            run.room.kept[s, 1], facts, s, lambda s_, m, s=s: run.plan.verify(s, s_, m)
        )
        for s in facts.cohort
    }
    wrong = one[facts.cohort[0]].ciphertext
    run.board.post(
        run.at(1).sum,
        write_sum(
            facts,
            "Aggregator",
            wrong,
            {s: c.sha256 for s, c in one.items()},
            run.room.operator.sign,
        ),
    )
    with pytest.raises(RoundError, match="not the sum of the contributions"):
        run.check(1)


def resigned(run, number, **changes):
    """The transcript of a round with other words, signed by the coordinator all the same."""
    data = run.board.read(run.at(number).transcript, 1 << 20)
    said = Transcript.open(
        data, study=run.plan.digest, round=number, verify=run.room.researcher.card.verify
    )
    return type(said)(**{**said.__dict__, **changes}).dump(run.room.researcher.sign)


@both
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contributions": {}}, "another contribution of"),
        ({"sum_sha256": "0" * 64}, "another sum"),
        ({"model_sha256": "0" * 64}, "other facts"),
        ({"round_digest": "0" * 64}, "other facts"),
        ({"previous": "0" * 64}, "another round before it"),
        ({"study": "0" * 64}, "transcript of round 2 of Researcher is not in the store"),
        ({"round": 1}, "transcript of round 2 of Researcher is not in the store"),
        ({"previous": "x"}, "transcript of round 2 of Researcher is not in the store"),
        ({"cohort": ("nobody",), "contributions": {}}, "other facts"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_a_coordinator_cannot_say_otherwise_afterwards(run, changes, why):
    run.board.post(run.at(2).transcript, resigned(run, 2, **changes))
    with pytest.raises(RoundError, match=why):
        run.check(2)


@both
def test_a_transcript_by_anybody_else_is_refused(run):
    other = fixed_identity("Somebody", "researcher")
    data = run.board.read(run.at(1).transcript, 1 << 20)
    said = Transcript.open(
        data, study=run.plan.digest, round=1, verify=run.room.researcher.card.verify
    )
    run.board.post(run.at(1).transcript, said.dump(other.sign))
    with pytest.raises(
        RoundError, match="transcript of round 1 of Researcher is not in the store"
    ) as refused:
        run.check(1)
    assert "signature" in refused.value.whose


@whole
def test_a_later_transcript_names_the_one_before_it(run):
    before = transcript_sha256(run.board.read(run.at(1).transcript, 1 << 20))
    assert run.check(2).transcript.previous == before
    run.board.post(run.at(1).transcript, resigned(run, 1, sum_sha256="0" * 64))
    with pytest.raises(RoundError, match="another round before it"):
        run.check(2)


@whole
def test_a_round_that_the_study_does_not_have(run):
    for number in (0, run.plan.last_round + 1):
        with pytest.raises(UsageError, match="rounds 1 to"):
            run.check(number)


@going
def test_too_few_signatures_or_answers_are_not_enough(run):
    run.board.erase(run.at(1).agreement(NAMES[0]))
    assert NAMES[0] not in run.check(1).signed_by  # four are enough
    run.board.erase(run.at(1).agreement(NAMES[1]))
    with pytest.raises(RoundError, match="signature of"):
        run.check(1)


@both
@pytest.mark.parametrize("name", ["transcript", "announcement", "sum"])
def test_junk_in_the_store_is_nobodys(run, name):
    run.board.post(getattr(run.at(1), name), b"junk")
    with pytest.raises(RoundError, match="is not in the store") as refused:
        run.check(1)
    assert refused.value.whose.startswith("whoever can write into the store")


@both
def test_the_announcement_of_another_round_in_its_place_is_nobodys(run):
    run.board.post(run.at(1).announcement, run.board.read(run.at(2).announcement, 1 << 20))
    with pytest.raises(RoundError, match="announcement of round 1 is not in the store") as refused:
        run.check(1)
    assert "that of round 2 lies in its place" in refused.value.whose


@whole
def test_a_hospital_that_shows_two_frames_is_named_beside_the_aggregator(run):

    site = run.plan.study.cohort[0]
    facts = announced_context(run.plan, run.board.read(run.at(1).announcement, 1 << 20))
    frame = run.board.read(run.at(1).contribution(site), 1 << 30)
    ciphertext = np.concatenate(
        list(
            contribution_blocks(
                io.BytesIO(frame), facts, site, lambda s, m: run.plan.verify(site, s, m)
            )
        )
    )
    ciphertext[0, 0, 0] ^= np.uint64(1)
    out = io.BytesIO()
    write_contribution(facts, site, [ciphertext], out, run.room.identities[site].sign)
    run.board.post(run.at(1).contribution(site), out.getvalue())
    with pytest.raises(RoundError, match=f"another contribution of {site}") as refused:
        run.check(1)
    assert refused.value.whose == f"Aggregator, or {site}"


@both
def test_only_a_transcript_by_the_coordinator_counts_as_the_last(run):
    last = run.plan.last_round
    run.board.post(run.at(last).transcript, b"x")
    assert last_transcript(run.board, run.plan) == last - 1


def test_a_hospital_that_was_dropped_and_did_not_leave_is_missed():
    ran = Ran(GOING)
    number, dropped = 2, NAMES[3]
    at = ran.at(number)
    verify = ran.room.researcher.card.verify

    def without(data):
        said = Transcript.open(data, study=ran.plan.digest, round=number, verify=verify)
        cohort = tuple(site for site in said.cohort if site != dropped)
        parts = {s: h for s, h in said.contributions.items() if s != dropped}
        return replace(said, cohort=cohort, contributions=parts)

    found = without(ran.board.read(at.transcript, 1 << 20))
    with pytest.raises(RoundError, match=f"a cohort without {dropped}, who did not end") as refused:
        verifying._follows(ran.board, ran.plan, found)
    assert refused.value.whose == ran.plan.study.coordinator.name
    left = Status(ran.plan.digest, dropped, number, "withdrawn")
    ran.board.post(
        paths.status(ran.plan.digest, dropped), left.dump(ran.room.identities[dropped].sign)
    )
    verifying._follows(ran.board, ran.plan, found)


def seen_by(run, site, sent):
    return RoundsView("study", run.plan, run.board, site, sent)


@both
def test_a_hospital_whose_copy_contributed_in_its_place_is_named_by_its_own_ledger(run):
    site = run.plan.study.cohort[0]
    counted = run.check(1).frames[site]
    assert seen_by(run, site, {1: counted}).check(1).frames[site] == counted
    # the folder that was copied sent another frame, or none: the copy was faster
    for sent in ({1: "0" * 64}, {}):
        with pytest.raises(RoundError, match=f"contribution of {site} that is not") as refused:
            seen_by(run, site, sent).check(1)
        assert refused.value.whose == site
        assert "Stop the agent" in refused.value.next_step
    # the others cannot see it: one frame by the right key is in the sum
    assert seen_by(run, "", {}).check(1).frames[site] == counted
