"""Secure sum alone, stage by stage, in one process: what each party pays for one round."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.bench.memory import peak_mb
from securefl.federation.tempfiles import IN_MEMORY
from securefl.identity import Identity
from securefl.learning.public import public_uniforms
from securefl.secagg.contribution import encrypted_body
from securefl.secagg.frame import contribution_blocks, write_contribution
from securefl.secagg.layouts import cipher_layout_of, layout_for
from securefl.secagg.masks import pair_secret, pairwise_seeds
from securefl.secagg.opening import open_sum
from securefl.secagg.round_context import RoundContext
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.sum import RunningSum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from securefl.secagg.masks import Seeds
    from securefl.secagg.publickey import PublicKey
    from securefl.types import IntArray, Verify, WordArray


@dataclass(frozen=True)
class _Timed:
    """Result of a step, and the seconds that it took."""

    seconds: float
    value: Any


def _timed(step: Any, *arguments: Any) -> _Timed:  # noqa: ANN401 - a stop watch
    """Take the time of a call."""
    start = time.perf_counter()
    value = step(*arguments)
    return _Timed(time.perf_counter() - start, value)


def bench_vector(site: int, parameters: int, largest: int) -> IntArray:
    """Integers that a site of the benchmark sends: int64[parameters].

    Spread over the whole field, repeatable.
    """
    uniforms = public_uniforms(f"bench/{site}", b"securefl", parameters)
    return np.round((2 * uniforms - 1) * largest).astype(np.int64)


@dataclass(frozen=True)
class _Party:
    """A site of the benchmark: its card's key and its key for the study."""

    identity: Identity
    study_key: X25519PrivateKey

    @property
    def verify(self) -> Verify:
        """Checks what the site signed."""
        return self.identity.card.verify


def _parties(names: Sequence[str]) -> dict[str, _Party]:
    """Fresh keys for every name."""
    found = {}
    for name in names:
        identity = Identity.generate(name, "hospital", name, "nobody@securefl.invalid")
        found[name] = _Party(identity, X25519PrivateKey.generate())
    return found


@dataclass(frozen=True)
class _Cohort:
    """Sites of one round, and what each of them needs to contribute to it."""

    facts: RoundContext
    cipher: CkksIntegers
    public: PublicKey
    parties: Mapping[str, _Party]

    def contribute(self, name: str, values: IntArray) -> tuple[io.BytesIO, dict[str, float]]:
        """One site's frame, from its first byte, and the seconds of each stage."""
        secrets = self._pair_secrets(name)
        mask = _timed(pairwise_seeds, name, secrets, self.facts)
        encrypted = _timed(self._encrypt, values, mask.value)
        frame = io.BytesIO()
        sign = self.parties[name].identity.sign
        framed = _timed(write_contribution, self.facts, name, encrypted.value, frame, sign)
        frame.seek(0)
        checked = _timed(self._check, frame, name)
        frame.seek(0)
        seconds = {
            "mask_key": mask.seconds,
            "encrypt": encrypted.seconds,
            "frame": framed.seconds,
            "check": checked.seconds,
        }
        return frame, seconds

    def _pair_secrets(self, name: str) -> dict[str, bytes]:
        own = self.parties[name].study_key
        secrets = {}
        for peer, party in self.parties.items():
            if peer != name:
                public = party.study_key.public_key().public_bytes_raw()
                secrets[peer] = pair_secret(own, public)
        return secrets

    def _encrypt(self, values: IntArray, mask: Seeds) -> list[WordArray]:
        body = encrypted_body(
            values,
            self.facts,
            self.facts.digest(),
            public=self.public,
            mask=mask,
            cipher=self.cipher,
        )
        return list(body)

    def _check(self, frame: io.BytesIO, name: str) -> None:
        for _ in contribution_blocks(frame, self.facts, name, self.parties[name].verify):
            pass


def bench_secagg(
    parameters: int,
    sites: int,
    bits: int,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Encrypt, mask, sign, check, add and open one round.

    Args:
        parameters: integers that each site sends.
        sites: how many contribute.
        bits: bits of a field.
        keep: a folder for the contribution files.

    Returns:
        The keys of ``securefl bench secagg --json``; seconds are per site for encrypt (packing and
        masks with it), frame and check; ``sum_seconds`` are for all sites, with the checks that
        adding makes again.
    """
    layout = layout_for(bits, sites, parameters)
    cipher = CkksIntegers()
    names = [f"site{i:04d}" for i in range(sites)]
    keys = cipher.generate(cipher_layout_of(layout).ring)
    facts = RoundContext(
        study="00" * 32,
        round=1,
        attempt=1,
        kind="bench",
        cohort=tuple(names),
        instances=("00" * 32,) * sites,
        public_key_sha256=keys.public.sha256,
        layout=layout,
        length=parameters,
        bound=layout.max_value,
        model_sha256="00" * 32,
    )
    cohort = _Cohort(facts, cipher, keys.public, _parties(names))
    seconds = {"mask_key": 0.0, "encrypt": 0.0, "frame": 0.0, "check": 0.0}
    expected = np.zeros(parameters, dtype=np.int64)
    total = RunningSum(facts, io.BytesIO, IN_MEMORY)
    adding = 0.0
    sizes = []
    for index, name in enumerate(names):
        values = bench_vector(index, parameters, layout.max_value)
        expected += values
        frame, steps = cohort.contribute(name, values)
        for stage, taken in steps.items():
            seconds[stage] += taken / sites
        adding += _timed(total.add, frame, name, cohort.parties[name].verify).seconds
        sizes.append(len(frame.getvalue()))
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}.contribution").write_bytes(frame.getvalue())
    opened = np.empty(parameters, dtype=np.int64)
    opening = _timed(open_sum, keys, total.blocks(), facts, opened)
    error = int(np.abs(opened - expected).max())
    return {
        "parameters": parameters,
        "sites": sites,
        "bits": bits,
        "bytes_per_parameter": max(sizes) / parameters,
        "plaintext_bytes_same_bits": bits / 8,
        "primes": facts.numbers.primes if facts.numbers else 0,
        "encrypt_seconds": seconds["encrypt"] + seconds["mask_key"],
        "frame_seconds": seconds["frame"],
        "check_seconds": seconds["check"],
        "sum_seconds": adding,
        "decrypt_seconds": opening.seconds,
        "max_abs_error": error,
        "exact": error == 0,
        "peak_rss_mb": peak_mb(),
    }
