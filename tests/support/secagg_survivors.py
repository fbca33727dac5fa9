"""Rounds that survive losses, in one process: real keys, shares and signatures; ciphertexts real or
fake.
"""

from __future__ import annotations

import io
from hashlib import sha256

import numpy as np
from conftest import fixed_identity
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secagg_round import BITS, digest_of, make_facts

from securefl.secagg.cipher_ring import cipher_ring
from securefl.secagg.holder import Holder
from securefl.secagg.masks import pair_secret, pair_seed, uniform_residues
from securefl.secagg.proposer import Proposer
from securefl.secagg.ring import add
from securefl.secagg.streaming import add_survivors, open_survivors
from securefl.secagg.survivor_contribution import check_contribution, read_head, spool_contribution
from securefl.secagg.survivor_terms import SurvivorTerms

COORDINATOR = "coordinator"


class Clear:
    """A cipher that does not encrypt: c0 is D times the message, c1 is anything.

    It shows the masks alone, and fast.
    """

    class Keys:
        def __init__(self):
            self.public = FakePublic()
            self.erased = False

        def open_blocks(self, blocks, layout):
            def each():
                for block in blocks:
                    noise = (block[:, 0].astype(object) + layout.scale // 2) % layout.ring.modulus
                    yield (noise // layout.scale).astype(np.uint64), 0.05

            return each()

        def erase(self):
            self.erased = True

    def generate(self, ring):
        del ring
        return self.Keys()

    def encrypt(self, public, messages, layout):
        ring = layout.ring
        ciphertext = np.empty((len(messages), 2, ring.degree), dtype=np.uint64)
        ciphertext[:, 1] = uniform_residues(bytes(32), ring.degree, ring.modulus)
        scaled = messages * np.uint64(layout.scale)
        ciphertext[:, 0] = add(scaled, np.ones_like(messages), np.uint64(ring.modulus))
        return ciphertext


class FakePublic:
    sha256 = digest_of("key")


class Draws:
    """A generator for tests: repeatable, and no two draws alike."""

    def __init__(self, seed: str):
        self.seed, self.count = seed, 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return np.random.default_rng(
            list(sha256(f"{self.seed}/{self.count}".encode()).digest())
        ).bytes(size)


class World:
    """Hospitals with their keys, and the facts of a round."""

    def __init__(self, names, t, c, *, length=10, bits=0, cipher=None, degree=4096):
        self.names, self.t, self.c = tuple(sorted(names)), t, c
        self.length, self.bits, self.degree = length, bits or BITS[degree], degree
        self.cipher = cipher or Clear()
        self.identities = {name: fixed_identity(name, "hospital") for name in self.names}
        self.cards = {name: identity.card for name, identity in self.identities.items()}
        self.coordinator = fixed_identity(COORDINATOR, "researcher")
        self.aggregator = fixed_identity("aggregator", "aggregator")
        self.study_keys = {
            n: X25519PrivateKey.from_private_bytes(sha256(f"study key of {n}".encode()).digest())
            for n in self.names
        }
        self.publics = {
            n: key.public_key().public_bytes_raw() for n, key in self.study_keys.items()
        }
        self._terms: dict[int, SurvivorTerms] = {}
        self.keys: dict[int, object] = {}
        self._secrets: dict[tuple[str, str], bytes] = {}
        self._usual: dict = {}

    def terms(self, attempt=1) -> SurvivorTerms:
        if attempt not in self._terms:
            self.keys[attempt] = self.cipher.generate(cipher_ring(self.degree))
            facts = make_facts(
                self.names,
                bits=self.bits,
                length=self.length,
                public_key_sha256=self.keys[attempt].public.sha256,
                attempt=attempt,
                degree=self.degree,
            )
            self._terms[attempt] = SurvivorTerms(facts, self.t, self.c)
        return self._terms[attempt]

    def verify(self, name, signature, message):
        return self.cards[name].verify(signature, message)

    def verify_by(self, name):
        return self.cards[name].verify

    def secret(self, one, two):
        key = (min(one, two), max(one, two))
        if key not in self._secrets:
            self._secrets[key] = pair_secret(self.study_keys[key[0]], self.publics[key[1]])
        return self._secrets[key]

    def secrets(self, me):
        return {other: self.secret(me, other) for other in self.terms().neighbours.of(me)}

    def pair_seeds(self, me, attempt=1):
        terms = self.terms(attempt)
        return {
            other: pair_seed(self.secret(me, other), terms.round_digest)
            for other in terms.neighbours.of(me)
        }

    def values(self, name):
        seed = list(sha256(name.encode()).digest())
        return np.random.default_rng(seed).integers(-100, 100, self.length, endpoint=True)

    def contribute(self, me, attempt=1, values=None, **changes):
        """``(head, spool)`` bytes of a contribution."""
        terms = self.terms(attempt)
        spool = io.BytesIO()
        arguments = {
            "terms": terms, "public": self.keys[attempt].public, "me": me, "secrets": self.secrets(me), "cards": self.cards,
            "sign": self.identities[me].sign, "cipher": self.cipher, "draw": Draws(f"{me}/{attempt}"), **changes,
        }  # fmt: skip
        head = spool_contribution(self.values(me) if values is None else values, spool, **arguments)
        return head, spool.getvalue()

    def frame(self, me, attempt=1, values=None, **changes) -> bytes:
        return b"".join(self.contribute(me, attempt, values, **changes))

    def usual(self, me, attempt=1):
        """A contribution and its checked head, made once: most tests do not care whose draws it
        holds.
        """
        if (me, attempt) not in self._usual:
            head, spool = self.contribute(me, attempt)
            self._usual[me, attempt] = head, spool, self.check(head + spool, me, attempt)
        return self._usual[me, attempt]

    def head(self, data, name, attempt=1):
        return read_head(io.BytesIO(data), self.terms(attempt), name, self.verify_by(name))

    def check(self, data, name, attempt=1):
        return check_contribution(io.BytesIO(data), self.terms(attempt), name, self.verify_by(name))

    def holder(self, name, kept=(), **more):
        identity = self.identities[name]
        return Holder(name, sign=identity.sign, unseal=identity.unseal, kept=kept, **more)

    def proposer(self, attempt=1):
        return Proposer(self.terms(attempt), self.verify)

    def propose(self, proposer, **more):
        return proposer.propose(COORDINATOR, self.coordinator.sign, **more)

    def truth(self, names):
        return sum(self.values(name) for name in names)

    def opened(self, unmasking, frames, attempt=1):
        """The exact integers that the frames of the survivors open to."""
        files = {name: io.BytesIO(data) for name, data in frames.items()}
        into = np.empty(self.length, dtype=np.int64)
        result = open_survivors(
            self.keys[attempt],
            add_survivors(unmasking, files, self.verify),
            unmasking.survivors,
            into,
        )
        assert result.contributors == len(unmasking.survivors.names)
        return into


class Party:
    """A hospital at work: its holder, its durable records, what it sees in the store."""

    def __init__(self, world: World, name: str, **more):
        self.world, self.name, self.more = world, name, more
        self.disk: list = []
        self.holder = world.holder(name, **more)

    def restart(self):
        self.holder = self.world.holder(self.name, self.disk, **self.more)

    def keep(self, record) -> bytes:
        self.disk.append(record)
        return self.holder.confirm_durable(record)

    def contribute(self, attempt=1, **changes) -> bytes:
        if changes:
            head, spool = self.world.contribute(self.name, attempt, **changes)
            frame_sha256 = self.world.head(head, self.name, attempt).sha256
        else:
            head, spool, checked = self.world.usual(self.name, attempt)
            frame_sha256 = checked.sha256
        return (
            self.keep(self.holder.contributed(self.world.terms(attempt), head, frame_sha256))
            + spool
        )

    def agree(self, proposal, heads, attempt=1) -> bytes:
        world = self.world
        return self.keep(
            self.holder.agree(
                world.terms(attempt), proposal, coordinator=COORDINATOR, verify=world.coordinator.card.verify, heads=heads,
                pair_seeds=world.pair_seeds(self.name, attempt),
            )
        )  # fmt: skip

    def answer(self, survivors, agreements, heads) -> bytes:
        return self.keep(
            self.holder.answer(survivors, agreements, verify=self.world.verify, heads=heads)
        )


def run_round(world: World, sends, agree=None, answer=None, attempt=1):
    """A round in which ``sends`` contribute, ``agree`` sign and ``answer`` answer: ``(proposer,
    frames, parties)``.
    """
    parties = {name: Party(world, name) for name in world.names}
    frames = {name: parties[name].contribute(attempt) for name in sends}
    proposer = world.proposer(attempt)
    heads = {name: world.check(data, name, attempt) for name, data in frames.items()}
    for head in heads.values():
        proposer.add_contribution(head)
    proposal = world.propose(proposer)
    for name in sends if agree is None else agree:
        proposer.add_agreement(name, parties[name].agree(proposal, heads, attempt))
    for name in sends if answer is None else answer:
        proposer.add_answer(
            name, parties[name].answer(proposer.survivors, proposer.agreements, heads)
        )
    return proposer, frames, parties
