"""A whole study over a board in one process, whose hospitals verify each total before they answer.

Or do not, where a test says so: then a lying coordinator is followed, which is the control.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial

import numpy as np
from in_process_federation import INSTANCES, RUN_KEYS, Room

from securefl.boards.opening import open_board
from securefl.errors import SecureFLError
from securefl.federation.checked_round import AnnouncedRound, Broadcast
from securefl.federation.coordinator import Coordinator
from securefl.federation.following import Following
from securefl.federation.group_lot import GroupCommitment, GroupNonce, commitments_sha256
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.run_memory import NoMemory
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.study_board import StudyBoard
from securefl.federation.verified_totals import VerifiedTotals
from securefl.secagg.group_draw import commitment
from securefl.secagg.survivor_contribution import head_limit


def hide(board, slot):
    """Take an object away from a board; a function that puts it back."""
    data = board.read(slot.path, 1 << 24)
    board.erase(slot.path)
    return lambda: slot.post(data)


class Numbers:
    """A hospital's rows and noise in this kind of test: whole numbers, remembered."""

    def __init__(self, seed):
        self._generator = np.random.default_rng(seed)
        self.produced = []

    def __call__(self, number, model, length, largest):
        del number, model, largest
        self.produced.append(self._generator.integers(0, 50, length))
        return self.produced[-1]


class FollowedExchange(StoreExchange):
    """Hospitals and aggregator act when the coordinator looks for what they send.

    Attributes:
        refused: hospital → why it ended its part.
        away: hospitals that do not look any more.
    """

    def __init__(self, room, board, *, checked=True):
        super().__init__(board, room.plan)
        self.room, self.board, self.rounds = room, board, round_strategy_of(room.plan)
        self.refused, self.away = {}, set()
        self.hospitals = {
            site: room.participant(site, following=Following(room.plan) if checked else None)
            for site in room.plan.study.cohort
        }
        self.totals = {
            site: VerifiedTotals(room.plan, room.identities[site].with_sealing_key(RUN_KEYS[site]))
            for site in self.hospitals
        }

    def collect(self, arrivals, seconds):
        self._contribute(arrivals.facts)
        self._aggregate(arrivals.facts)
        return super().collect(arrivals, seconds)

    def gather(self, arrivals, seconds):
        self._contribute(arrivals.terms.facts)
        return super().gather(arrivals, seconds)

    def conclude(self, arrivals, proposal, seconds):
        at = RoundBoard.of(self.board, arrivals.terms.facts)
        at.proposal(arrivals.terms).post(proposal)
        signed = {}
        later = {s: self.hospitals[s].later for s in arrivals.state.survivors.names}
        limit = head_limit(arrivals.terms)
        for site, stage in later.items():
            head = partial(self._head, stage, at, limit)
            if stage.survivors is None:  # else it was signed before the coordinator was killed
                at.agreement(site).post(stage.agree(proposal, head))
            signed[site] = at.agreement(site).read()
        for site, stage in later.items():
            if not stage.answered:
                at.answer(site, stage.survivors).post(stage.answer(signed))
        self._aggregate(arrivals.terms.facts)
        return super().conclude(arrivals, proposal, seconds)

    def end(self):
        """Verify the last total, as hospitals do at a study's end."""
        return {s: self.totals[s].verify(self.board, p) for s, p in self.hospitals.items()}

    def _contribute(self, facts):
        at = RoundBoard.of(self.board, facts)
        given = Broadcast(at.announcement.read(), at.key.read(), at.model(self.room.plan).read())
        for site, hospital in self.hospitals.items():
            if site in self.away or hospital.done != facts.round - 1:
                continue
            try:
                self._verify(site, hospital)
                at.contribution(site).post_file(hospital.answer(given))
            except SecureFLError as error:
                self.refused[site] = error
        if self.refused:
            raise next(iter(self.refused.values()))

    def _verify(self, site, hospital):
        """A hospital that cannot verify waits; here it ends its part at once."""
        if not self.totals[site].verify(self.board, hospital):
            raise SecureFLError(self.totals[site].missing)

    def _aggregate(self, facts):
        at = RoundBoard.of(self.board, facts)
        context = AnnouncedRound.open(self.room.plan, at.announcement.read()).checked_context()
        with closing(self.rounds.aggregation(context)) as arrivals:
            assert arrivals.poll(self.board)
            with self.room.aggregator.add(arrivals) as total:
                at.sum().post_file(total)

    @staticmethod
    def _head(stage, at, limit, site):
        return stage.read(site, at.contribution(site, limit).read_head(limit))


class FollowedStudy:
    """One study, its coordinator of the class that a test says.

    Args:
        plan: the study.
        folder: where the board lies.
        coordinator: the class.
        checked: whether hospitals verify (rule 11).
        memory: what is durable of the coordinator's run.
    """

    def __init__(self, plan, folder, coordinator=Coordinator, *, checked=True, memory=None):
        self.room = Room(plan)
        self.room.hospitals = {s: Numbers(i) for i, s in enumerate(plan.study.cohort)}
        self.board = open_board(folder.as_uri())
        if plan.draws_groups:
            self._say_lot()
        self.exchange = FollowedExchange(self.room, self.board, checked=checked)
        self.coordinator = coordinator(
            plan, self.room.researcher, self.exchange, self.room.cipher, memory or NoMemory()
        )
        self.coordinator._instances = INSTANCES

    def _say_lot(self):
        """What hospitals say before the first round of a study that trains by groups."""
        digest, nonces = self.room.plan.digest, self.room.lot.nonces
        committed = {s: commitment(digest, s, nonce).hex() for s, nonce in nonces.items()}
        saw, at = commitments_sha256(committed), StudyBoard(self.board, digest)
        for site, nonce in nonces.items():
            sign = self.room.identities[site].sign
            said = GroupCommitment(digest, site, committed[site])
            at.group_commitment(site).post(said.dump(sign))
            at.group_nonce(site).post(GroupNonce(digest, site, nonce.hex(), saw).dump(sign))

    def run(self):
        return self.coordinator.run()

    @property
    def refused(self):
        return self.exchange.refused

    def answered(self):
        """Hospital → rounds that its rows went into."""
        return {site: len(one.produced) for site, one in self.room.hospitals.items()}
