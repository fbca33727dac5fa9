"""Many hospitals in one process, and models larger than memory should hold."""

import gc
import io
import tracemalloc

import numpy as np
import pytest
from secagg_round import make_facts
from secagg_survivors import COORDINATOR, Draws, Party, World

from securefl.secagg import sections
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.round_context import MAX_LENGTH
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.streaming import add_survivors, open_survivors, write_survivors_sum
from securefl.secagg.survivor_contribution import check_contribution, spool_contribution
from securefl.secagg.survivor_terms import SurvivorTerms


def many(hospitals, t, c, *, lost):
    """A round with real CKKS; ``lost`` hospitals vanish, half before they
    contribute and half before they answer.
    """
    names = [f"H{i:04}" for i in range(hospitals)]
    world = World(
        names,
        t,
        c,
        cipher=CkksIntegers(),
        length=5,
        bits=8,
    )
    terms = world.terms()
    rng = np.random.default_rng(5)
    gone = [names[i] for i in rng.permutation(hospitals)[:lost]]
    sent = [name for name in names if name not in gone[: lost // 2]]
    proposer, frames, parties, heads = world.proposer(), {}, {}, {}
    for name in sent:
        parties[name] = Party(world, name)
        frames[name] = parties[name].contribute(draw=Draws(name))
        heads[name] = world.check(frames[name], name)
        proposer.add_contribution(heads[name])
    proposal = world.propose(proposer)
    answering = [name for name in sent if name not in gone[lost // 2 :]]
    for name in answering:
        proposer.add_agreement(name, parties[name].agree(proposal, heads))
    agreements = proposer.agreements
    # counting some hundred signatures is every holder's own work; here one process does it for all,
    # once
    from securefl.secagg import holder as module

    counted = module.count_agreements(agreements, proposer.survivors, world.verify)
    assert counted == len(answering)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "count_agreements", lambda *_: counted)
        for name in answering:
            proposer.add_answer(name, parties[name].answer(proposer.survivors, agreements, heads))
    assert COORDINATOR not in names
    opened = world.opened(proposer.unmasking(), frames)
    assert np.array_equal(opened, world.truth(sent))
    return terms


def test_sixty_hospitals_sum_exactly():
    assert many(60, 54, 2, lost=4).neighbours.degree == 59


@pytest.mark.soak
def test_a_hundred_hospitals_sum_exactly_in_one_process():
    assert many(100, 90, 10, lost=10).neighbours.degree == 99


def contribution(length, spool):
    world = World(["A", "B", "C"], 2, 0, length=length)
    head = spool_contribution(
        np.broadcast_to(np.int64(3), length), spool, terms=world.terms(), public=world.keys[1].public, me="A",
        secrets=world.secrets("A"), cards=world.cards, sign=world.identities["A"].sign, cipher=world.cipher,
    )  # fmt: skip
    return world, head


class Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def write(self, data):
        return len(data)


#: Bytes a ciphertext that the peak may grow by: its manifest needs 150, and what is left of earlier
#: tests in this process may allocate meanwhile. A packed message kept by mistake is 32768, a
#: ciphertext 59392.
SLACK = 3000


def peak_of(call):
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_contribution_does_not_grow_with_the_model():
    """Manifests grow by 150 bytes a ciphertext, which at 1e8 parameters is 2 MB; nothing else does."""
    contribution(100_000, Nowhere())
    small, large = (peak_of(lambda n=n: contribution(n, Nowhere())) for n in (600_000, 2_400_000))
    assert large < small + 220 * SLACK  # 220 more ciphertexts


def repeated(length):
    """A round of two survivors whose files are on disk."""
    import tempfile

    files = {}
    world = World(["A", "B", "C"], 2, 0, length=length)
    for name in ("A", "B"):
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - they are read below
        head = spool_contribution(
            np.broadcast_to(np.int64(3), length), spool, terms=world.terms(), public=world.keys[1].public, me=name,
            secrets=world.secrets(name), cards=world.cards, sign=world.identities[name].sign, cipher=world.cipher,
        )  # fmt: skip
        spool.seek(0)
        files[name] = Chained(io.BytesIO(head), spool)
    return world, files


class Chained:
    """A head, then its spool: what a store would have joined."""

    def __init__(self, *parts):
        self.parts = parts

    def read(self, size):
        for part in self.parts:
            data = part.read(size)
            if data:
                return data
        return b""

    def rewind(self):
        for part in self.parts:
            part.seek(0)


def added_and_opened(length):
    world, files = repeated(length)
    proposer = world.proposer()
    parties = {name: Party(world, name) for name in files}
    for name, file in files.items():
        head = check_contribution(file, world.terms(), name, world.verify_by(name))
        proposer.add_contribution(head)
        parties[name].keep(parties[name].holder.contributed(world.terms(), b"", head.sha256))
        file.rewind()
    heads = proposer._heads
    proposal = world.propose(proposer)
    for name, party in parties.items():
        proposer.add_agreement(name, party.agree(proposal, heads))
    for name, party in parties.items():
        proposer.add_answer(name, party.answer(proposer.survivors, proposer.agreements, heads))
    unmasking, opened = proposer.unmasking(), np.empty(length, dtype=np.int64)

    def work():
        write_survivors_sum(
            proposer.survivors,
            add_survivors(unmasking, files, world.verify),
            Nowhere(),
            "aggregator",
            world.aggregator.sign,
        )
        for file in files.values():
            file.rewind()
        open_survivors(
            world.keys[1], add_survivors(unmasking, files, world.verify), proposer.survivors, opened
        )

    return work


def test_the_memory_of_adding_and_opening_does_not_grow_with_the_model(monkeypatch):
    monkeypatch.setattr(
        sections, "_BLOCK_BYTES", 8 * LARGE_RING.chunk_bytes
    )  # so that both models have many blocks
    small, large = (peak_of(added_and_opened(length)) for length in (300_000, 600_000))
    assert large < small + 37 * SLACK  # 37 more ciphertexts


def test_the_largest_model_has_an_index_for_every_ciphertext():
    facts = make_facts(("A", "B", "C"), length=MAX_LENGTH)
    assert facts.chunks < 1 << 32
    assert SurvivorTerms(facts, 2, 0).facts.chunks == 131_089
