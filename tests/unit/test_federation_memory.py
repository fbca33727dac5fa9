"""What a party holds of a round does not grow with its frames: contribution, addition, comparison,
in both kinds of study.
"""

import hashlib
import tracemalloc
from contextlib import closing

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.bench.consortium import FOLDERS, make_consortium, read_parties
from securefl.boards.opening import open_board
from securefl.federation import paths, survivor_round, tempfiles
from securefl.federation.aggregator import Aggregator
from securefl.federation.full_round import FullRound
from securefl.federation.participant import OpenContribution, Participant
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.survivor_round import SurvivorRound
from securefl.files import read_secret
from securefl.secagg import sections
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.layouts import body_bytes
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.sum import same_sum
from securefl.secagg.survivor_contribution import head_limit
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.study.approval import MAX_BYTES, open_approval
from securefl.study.training import training_of


class Frames:
    """Three hospitals' contributions to one round of a model of some size, as files in a store,
    each made at ``peak`` bytes at most.
    """

    def __init__(self, root, parameters, on_dropout):
        self.plan = make_consortium(
            root, parameters=parameters, sites=3, bits=8, rounds=1, on_dropout=on_dropout
        )
        self.board, cipher = open_board(str(root / FOLDERS.store)), CkksIntegers()
        keys = cipher.generate(self.plan.ring(1, len(self.plan.study.cohort)))
        facts = self.plan.facts(
            1,
            keys.public.sha256,
            training_of(self.plan.study).model.initial_sha256,
            instances=dict.fromkeys(self.plan.study.cohort, "0" * 64),
        )
        self.facts, self.at = facts, paths.RoundPaths(self.plan.digest, 1)
        identities = {site: read_parties(root, site)[1] for site in self.plan.study.cohort}
        approvals = {
            site: open_approval(
                self.board.read(paths.approval(self.plan.digest, site), MAX_BYTES),
                site=site,
                study=self.plan.digest,
                verify=who.card.verify,
            )
            for site, who in identities.items()
        }
        self.people, self.peak, strategy = {}, 0, round_strategy_of(self.plan)
        for site, who in identities.items():
            study_key = X25519PrivateKey.from_private_bytes(
                read_secret(root / FOLDERS.keys / site / "study.key", 32)
            )
            me = Participant(
                plan=self.plan,
                identity=who,
                study_key=study_key,
                approvals=approvals,
                trainer=None,
                keeper=None,
                cipher=cipher,
                instance="0" * 64,
                following=None,
                records=lambda terms, record: None,
            )
            values, file = np.zeros(facts.length, dtype=np.int64), root / f"kept-{site}"
            with file.open("w+b") as frame:
                self.peak = max(
                    self.peak,
                    peak_of(
                        lambda m=me, f=frame, v=values: strategy.write_contribution(
                            f, v, context=facts, public=keys.public, keys=m._keys, cipher=cipher
                        )
                    ),
                )
                frame.seek(0)
                me.later = strategy.unmasking_stage(
                    facts, OpenContribution(frame), me._keys, me._records
                )
                self.board.post_file(self.at.contribution(site), frame)
            self.people[site] = me.later
        self.operator = read_parties(root, "aggregator")[1]
        self.researcher = read_parties(root, "coordinator")[1]

    def read(self, later):
        return lambda site: later.read(
            site, self.board.read_head(self.at.contribution(site), head_limit(later.terms))
        )

    def added(self):
        """Bytes that take, sum and comparison need at most."""
        if not round_strategy_of(self.plan).needs_records:
            with closing(FullRound(self.plan, self.facts)) as arrivals:
                return peak_of(lambda: self.whole(arrivals))
        with closing(SurvivorRound(self.plan, self.plan.terms(self.facts))) as here:
            taken = peak_of(lambda: here.poll_frames(self.board))
            here.state.adopt(
                Survivors(here.terms, {s: h.sha256 for s, h in here.state.heads.items()})
            )
            proposal = write_proposal(here.state.survivors, "coordinator", self.researcher.sign)
            for site, later in self.people.items():
                here.state.add_agreement(site, later.agree(proposal, self.read(later)))
            for site, later in self.people.items():
                here.state.add_answer(site, later.answer(here.state.agreements))
            aggregator = Aggregator(self.plan, self.operator)

            def work():
                with aggregator.add(here) as total:
                    self.board.post_file(self.at.sum, total)
                claimed = here.poll_sum(self.board)
                for _ in same_sum(claimed.blocks(), here.sum_blocks(), "aggregator"):
                    pass

            more = peak_of(work)
            assert (
                here.poll_sum(self.board).sha256
                == hashlib.sha256(self.board.read(self.at.sum, 1 << 30)).hexdigest()
            )
            return max(taken, more)

    def whole(self, arrivals):
        while arrivals.poll_frames(self.board):
            pass
        with Aggregator(self.plan, self.operator).add(arrivals) as total:
            self.board.post_file(self.at.sum, total)
        claimed = arrivals.poll_sum(self.board)
        for _ in same_sum(claimed.blocks(), arrivals.sum_blocks(), "aggregator"):
            pass


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("on_dropout", ["fail", "continue"])
def test_no_party_holds_more_of_a_larger_frame(tmp_path, monkeypatch, on_dropout):
    """Small blocks, so that both models have many; a manifest grows by some hundred bytes an item."""
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 4 * LARGE_RING.chunk_bytes)
    # As if both were too large for private files in memory.
    for module in (tempfiles, survivor_round):
        monkeypatch.setattr(module, "IN_MEMORY", 0)
    small, large = (Frames(tmp_path / str(n), n, on_dropout) for n in (800_000, 1_600_000))
    more = body_bytes(large.facts.layout, 1_600_000) - body_bytes(
        small.facts.layout, 800_000
    )  # of every frame
    assert more > 1_000_000
    assert large.peak < small.peak + more / 20
    assert large.added() < small.added() + more / 10
