"""A hospital that deals rubbish to some is named by those who cannot sign for it; what they say is
fixed words, and decides nothing.

The control, the same study without their complaints: the victims are named as those from whom
nothing came.
"""

import dataclasses
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest
from conftest import SITES, fixed_identity
from in_process_federation import INSTANCES, Room, going_on, sealed_study

import securefl.secagg.survivor_contribution as spooling
from securefl.boards.opening import open_board
from securefl.errors import MessageError, RoundError
from securefl.federation import paths
from securefl.federation.messages import MAX_SMALL, Complaint
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.survivor_round import SurvivorRound
from securefl.node.unmasking_sender import UnmaskingSender
from securefl.secagg.key_shares import packet_bytes
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.signed import dump_signed
from securefl.study.training import training_of

FIVE = tuple(sorted(SITES))
DEALER, *OTHERS = FIVE
VICTIMS = OTHERS[:2]
PLAN = going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=FIVE)[1])
AT = paths.RoundPaths(PLAN.digest, 1)


def deal_rubbish(monkeypatch, victims):
    honest = spooling.deal

    def deal(terms, me, *args, **kwargs):
        data = bytearray(honest(terms, me, *args, **kwargs))
        holders, size = terms.neighbours.holders(me), packet_bytes(terms)
        for victim in victims if me == DEALER else ():
            data[len(data) - (len(holders) - holders.index(victim)) * size + 5] ^= 1
        return bytes(data)

    monkeypatch.setattr(spooling, "deal", deal)


class Consortium:
    """Round 1 as far as the survivor set: everybody contributed, the coordinator proposes all five."""

    def __init__(self, folder):
        self.room, self.board, self.lines, self.held = (
            Room(PLAN),
            open_board(str(folder)),
            {site: [] for site in FIVE},
            False,
        )
        keys, given = self.room.announce()
        self.people = {p.name: p for p in self.room.participants()}
        for site, person in self.people.items():
            self.board.post(AT.contribution(site), person.answer(given).read())
        self.terms = PLAN.terms(
            PLAN.facts(
                1,
                keys.public.sha256,
                training_of(PLAN.study).model.initial_sha256,
                instances=INSTANCES,
            )
        )
        self.tally = SurvivorRound(PLAN, self.terms)
        self.tally.poll_frames(self.board)
        survivors = Survivors(self.terms, {s: self.tally.state.heads[s].sha256 for s in FIVE})
        self.proposal = write_proposal(survivors, "Researcher", self.room.researcher.sign)
        self.tally.state.adopt(survivors)
        self.board.post(AT.proposal, self.proposal)
        self.saying = {site: self._saying(site) for site in FIVE}

    def _saying(self, site):
        ledger = SimpleNamespace(
            state=SimpleNamespace(paused=False, study=lambda _: SimpleNamespace(ended=self.held))
        )
        here = SimpleNamespace(
            name=site,
            board=self.board,
            identity=self.room.identities[site],
            ledger=ledger,
            deciding=nullcontext,
        )
        return UnmaskingSender(here, PLAN, self.lines[site].append)

    def speak(self):
        for _ in range(3):
            for site, saying in self.saying.items():
                saying.step(self.people[site].later)

    def failure(self):
        with pytest.raises(RoundError) as failed:
            StoreExchange(self.board, PLAN).conclude(self.tally, self.proposal, 0.02)
        return failed.value

    def complaint(self, site, *, by=None, **changes):
        facts = self.terms.facts
        honest = Complaint(
            facts.study, facts.round, facts.attempt, self.terms.round_digest, site, DEALER
        )
        return dataclasses.replace(honest, **changes).dump(self.room.identities[by or site].sign)


@pytest.fixture
def honest(tmp_path):
    made = Consortium(tmp_path)
    yield made
    made.tally.close()


@pytest.fixture
def spoiled(tmp_path, monkeypatch):
    deal_rubbish(monkeypatch, VICTIMS)
    made = Consortium(tmp_path)
    yield made
    made.tally.close()


def test_the_control_without_complaints_the_victims_are_named_as_silent(spoiled):
    spoiled.speak()
    for victim in VICTIMS:
        spoiled.board.erase(AT.complaint(victim))
    failure = spoiled.failure()
    assert f"no signature under the survivor set came from {', '.join(VICTIMS)}." in failure.what
    assert failure.whose == ", ".join(VICTIMS)


def test_the_dealer_is_named_by_those_who_could_not_use_what_it_dealt_to_them(spoiled):
    spoiled.speak()
    failure = spoiled.failure()
    assert (
        f"{VICTIMS[0]} and {VICTIMS[1]} could not use what {DEALER} dealt to them" in failure.what
    )
    assert failure.whose == DEALER
    assert f"Ask {DEALER} first" in failure.next_step
    for victim in VICTIMS:
        assert (
            sum("complaint left the house" in line for line in spoiled.lines[victim]) == 1
        )  # once a round


def test_who_is_silent_without_a_word_is_named_beside_the_dealer(spoiled):
    spoiled.saying.pop(OTHERS[2])
    spoiled.speak()
    failure = spoiled.failure()
    assert f"no word came from {OTHERS[2]}." in failure.what
    assert failure.whose == f"{DEALER}, {OTHERS[2]}"


def test_a_complaint_is_these_fields_and_says_nothing_about_how_it_failed(spoiled):
    spoiled.speak()
    for victim in VICTIMS:
        assert spoiled.board.read(AT.complaint(victim), MAX_SMALL) == spoiled.complaint(victim)
    assert spoiled.board.names(AT.complaints) == VICTIMS


def test_an_owner_who_keeps_everything_in_the_house_keeps_complaints_there(spoiled):
    spoiled.held = True
    for victim in VICTIMS:  # withdrawn between the proposal and the word
        with suppress(MessageError):
            later = spoiled.people[victim].later
            later.agree(
                spoiled.proposal,
                lambda site, later=later: later.read(
                    site, spoiled.board.read_head(AT.contribution(site), 1 << 20)
                ),
            )
        assert later.refused_dealer == DEALER
        spoiled.saying[victim]._complain(later)
    assert spoiled.board.names(AT.complaints) == []


def test_a_complaint_ends_no_round_that_can_be_completed(honest):
    for site in OTHERS:
        honest.board.post(AT.complaint(site), honest.complaint(site))
    honest.speak()
    failure = honest.failure()  # for want of the aggregator's sum alone
    assert "no sum came from the aggregator" in failure.what


def test_who_signed_has_nothing_to_complain_of(honest):
    silent = OTHERS[2:]
    for site in OTHERS:
        honest.board.post(AT.complaint(site), honest.complaint(site))
    for site in silent:
        honest.saying.pop(site)
    honest.speak()
    failure = honest.failure()
    assert f"{silent[0]} and {silent[1]} could not use" in failure.what
    assert OTHERS[0] not in failure.what


@pytest.mark.parametrize(
    "why",
    [
        "junk",
        "signed by another",
        "another round",
        "another attempt",
        "true for one",
        "another study",
        "about itself",
        "about a stranger",
        "about no name",
        "in another's place",
        "a field more",
        "too long",
    ],
)
def test_a_complaint_that_is_not_the_hospitals_own_for_this_round_is_not_there(honest, why):
    who = OTHERS[0]
    data = {
        "junk": lambda: b"x",
        "signed by another": lambda: honest.complaint(who, by=OTHERS[1]),
        "another round": lambda: honest.complaint(who, round=2, round_digest="ab" * 32),
        "another attempt": lambda: honest.complaint(who, attempt=2),
        "true for one": lambda: dump_signed(
            {"type": Complaint.TYPE, **Complaint(PLAN.digest, 1, 1, honest.terms.round_digest, who, DEALER).__dict__, "round": True},
            honest.room.identities[who].sign,
        ),
        "another study": lambda: honest.complaint(who, study="ab" * 32),
        "about itself": lambda: honest.complaint(who, about=who),
        "about a stranger": lambda: honest.complaint(who, about=fixed_identity("Stranger", "hospital").card.name),
        "about no name": lambda: honest.complaint(who, about=[DEALER]),
        "in another's place": lambda: honest.complaint(OTHERS[1]),
        "a field more": lambda: dump_signed(
            {"type": Complaint.TYPE, **Complaint(PLAN.digest, 1, 1, honest.terms.round_digest, who, DEALER).__dict__, "reason": "row 17"},
            honest.room.identities[who].sign,
        ),
        "too long": lambda: bytes(MAX_SMALL + 1),
    }[why]()  # fmt: skip
    honest.board.post(AT.complaint(who), honest.complaint(who))
    assert honest.tally.complaints(honest.board) == {who: DEALER}
    honest.board.post(AT.complaint(who), data)
    assert honest.tally.complaints(honest.board) == {}
