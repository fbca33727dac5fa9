"""One round of secure aggregation with real keys, for tests of every kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secagg_whole import pairwise_mask, read_contribution

from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING, cipher_ring
from securefl.secagg.masks import add_mask, pair_secret, uniform_residues
from securefl.secagg.packing import FieldLayout
from securefl.secagg.round_context import RoundContext

#: Bits of a value of five hospitals that a ring of this degree has room for.
BITS = {4096: 16, 2048: 16, 1024: 9}
#: Degrees of all rings of ciphertexts, for tests that hold in each.
DEGREES = tuple(ring.degree for ring in CIPHER_RINGS)
NAMES = ("other", "STMW", "SVHC", "SVHD", "SVI")


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def make_facts(
    names=NAMES, *, bits=16, length=10, public_key_sha256=None, degree=4096, **changes
) -> RoundContext:
    facts = RoundContext(
        study=digest_of("study"),
        round=1,
        attempt=1,
        kind="update",
        cohort=tuple(sorted(names)),
        instances=tuple(digest_of(f"run of {name}") for name in sorted(names)),
        public_key_sha256=public_key_sha256 or digest_of("key"),
        layout=FieldLayout(bits, len(names), degree),
        length=length,
        bound=100,
        model_sha256=digest_of("model"),
    )
    return replace(facts, **changes)


def fake_ciphertext(chunks: int, seed: str = "ciphertext", ring=LARGE_RING) -> np.ndarray:
    """Residues that look like a ciphertext; no key opens them."""
    key = sha256(seed.encode()).digest()
    residues = uniform_residues(key, chunks * 2 * ring.degree, ring.modulus)
    return residues.reshape(chunks, 2, ring.degree)


@dataclass
class Party:
    name: str
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    agreement: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def sign(self, message: bytes) -> bytes:
        return self.signing.sign(message)

    def verify(self, signature: bytes, message: bytes) -> bool:
        try:
            self.signing.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def secret_with(self, other: Party) -> bytes:
        return pair_secret(self.agreement, other.agreement.public_key().public_bytes_raw())


@dataclass
class Round:
    """Hospitals, an aggregator and a coordinator's key pair, all real."""

    names: tuple[str, ...] = NAMES
    bits: int = 0  # as many as the ring has room for
    length: int = 10  # 0: one ciphertext full
    degree: int = 4096

    def __post_init__(self):
        from securefl.secagg.seal import RoundKeyPair

        self.parties = {name: Party(name) for name in (*self.names, "aggregator", "coordinator")}
        self.bits = self.bits or BITS[self.degree]
        self.ring = cipher_ring(self.degree)
        layout = FieldLayout(self.bits, len(self.names), self.degree)
        self.length = self.length or layout.values_per_chunk
        self.keys = RoundKeyPair.generate(self.ring)
        self.facts = make_facts(
            self.names,
            bits=self.bits,
            length=self.length,
            public_key_sha256=self.keys.public.sha256,
            degree=self.degree,
        )

    def values(self, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        most = self.facts.layout.max_value
        return {name: rng.integers(-most, most, self.length, endpoint=True) for name in self.names}

    def secrets(self, me: str) -> dict[str, bytes]:
        return {
            name: self.parties[me].secret_with(self.parties[name])
            for name in self.names
            if name != me
        }

    def encrypted(self, values: np.ndarray) -> np.ndarray:
        from securefl.secagg.seal import encrypt

        return encrypt(self.keys.public, self.facts.layout.pack(values), self.facts.layout)

    def masked(
        self, me: str, ciphertext: np.ndarray, facts: RoundContext | None = None
    ) -> np.ndarray:
        mask = pairwise_mask(me, self.secrets(me), facts or self.facts)
        return add_mask(ciphertext, mask, self.ring)

    def frame(self, me: str, values: np.ndarray) -> bytes:
        from secagg_whole import contribute

        from securefl.secagg.seal import CkksIntegers

        return contribute(
            values,
            facts=self.facts,
            public=self.keys.public,
            me=me,
            secrets=self.secrets(me),
            sign=self.parties[me].sign,
            cipher=CkksIntegers(),
        )

    def contributions(self, values: dict[str, np.ndarray]):
        return [
            read_contribution(self.frame(me, values[me]), self.facts, me, self.parties[me].verify)
            for me in self.names
        ]
