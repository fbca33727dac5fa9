"""Bare cost of a round: the same ciphertexts, elements and masks from TenSEAL, AES and numpy alone.

It is the least that a round can cost. Nothing is packed, signed, hashed, checked, written to a
store or waited for. A hospital's share is, for each ciphertext, ``encrypt_zero``, the inverse
transform, the save that brings the residues out, AES-256-CTR for each of its masks, and the
additions mod q; for each element of the numbers, AES-256-CTR for the shared element, the operating
system's bytes for its errors, one transform, one product and one addition a residue. Two processes,
one a core, divide the hospitals among them. Then one of them adds, and for each ciphertext loads,
transforms, decrypts, transforms back and saves; for each element it makes the shared element,
multiplies, subtracts and transforms back. ``ratio`` of ``securefl bench round`` is a whole round
against this.

``python -m securefl.bench.bare SITES CIPHERTEXTS ELEMENTS PRIMES`` is one of the two processes: it
answers each line on its standard input (``hospitals N`` or ``open``) with the seconds of processor
time that the work took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tenseal import sealapi

from securefl.errors import SecureFLError
from securefl.secagg.cipher_ring import LARGE_RING, cipher_ring
from securefl.secagg.number_ring import WORD_BITS, ring_of
from securefl.secagg.ring import add, sum_mod_q
from securefl.secagg.seal_ring import from_transformed, to_transformed

_CORES: Final = 2


@dataclass(frozen=True)
class Bare:
    """Bare work of one round, once: seconds on the clock, and of processor time.

    Processor time is of both processes together.
    """

    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Load:
    """Work of one contribution: ``ciphertexts``, and ``elements`` of the ring of ``primes`` primes.

    0 primes: no elements. ``degree`` is that of the ciphertexts' ring.
    """

    ciphertexts: int
    elements: int = 0
    primes: int = 0
    degree: int = LARGE_RING.degree


def bench_bare(load: Load, sites: int, repeats: int) -> list[Bare]:
    """Do the bare work of one round ``repeats`` times.

    One before them warms up and is not counted.

    Args:
        load: of one contribution.
        sites: hospitals.
        repeats: how many are counted.

    Raises:
        SecureFLError: one of the two processes ended.
    """
    figures = (sites, load.ciphertexts, load.elements, load.primes, load.degree)
    command = [sys.executable, "-m", "securefl.bench.bare", *map(str, figures)]
    shares = [len(range(i, sites, _CORES)) for i in range(_CORES)]
    with ExitStack() as held:
        workers = []
        for _ in range(_CORES):
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            workers.append(held.enter_context(worker))
            # Called before the context ends, so that its end does not wait for a living process.
            held.callback(worker.kill)
        # Each answers once when its keys and arrays are made: that is not part of a round.
        for worker in workers:
            _answer(worker)
        return [_round(workers, shares) for _ in range(repeats + 1)][1:]


def _round(workers: list[subprocess.Popen[str]], shares: list[int]) -> Bare:
    """Let both processes be hospitals, then the first one open the sum."""
    start = time.perf_counter()
    for worker, share in zip(workers, shares, strict=True):
        _ask(worker, f"hospitals {share}")
    used = sum(_answer(worker) for worker in workers)
    _ask(workers[0], "open")
    used += _answer(workers[0])
    return Bare(time.perf_counter() - start, used)


def _ask(worker: subprocess.Popen[str], line: str) -> None:
    """Give a process its next work."""
    if worker.stdin is not None:
        worker.stdin.write(line + "\n")
        worker.stdin.flush()


def _answer(worker: subprocess.Popen[str]) -> float:
    """Wait for a process's answer: the seconds of processor time that the work took."""
    said = ""
    if worker.stdout is not None:
        said = worker.stdout.readline()
    if not said:
        raise SecureFLError(
            "A process of the bare benchmark ended.",
            whose="the benchmark",
            next_step="Its message stands above.",
        )
    return float(said)


class _Party:
    """Work of one process; its keys and arrays are made beforehand.

    A process between two rounds has them too.
    """

    def __init__(
        self,
        sites: int,
        chunks: int,
        elements: int,
        primes: int,
        degree: int,
    ) -> None:
        self._cipher_ring = cipher_ring(degree)
        self._modulus = np.uint64(self._cipher_ring.modulus)
        bits = [prime.bit_length() for prime in self._cipher_ring.primes]
        parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.CKKS)
        parameters.set_poly_modulus_degree(degree)
        parameters.set_coeff_modulus(sealapi.CoeffModulus.Create(degree, bits))
        self._context = sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)
        generator = sealapi.KeyGenerator(self._context)
        public = sealapi.PublicKey()
        generator.create_public_key(public)
        self._encryptor = sealapi.Encryptor(self._context, public)
        self._decryptor = sealapi.Decryptor(self._context, generator.secret_key())
        self._evaluator = sealapi.Evaluator(self._context)
        self._peers = sites - 1
        self._ring = ring_of(primes or 1)
        shape = (elements, len(self._ring.primes), self._ring.degree)
        self._elements = np.zeros(shape, dtype=np.uint64)
        self._message = np.full(degree, 1 << 20, dtype=np.uint64)
        self._residues = np.zeros((chunks, 2, degree), dtype=np.uint64)
        file = os.memfd_create("securefl-bare", os.MFD_CLOEXEC)
        self._path = f"/proc/self/fd/{file}"
        example = sealapi.Ciphertext()
        self._encryptor.encrypt_zero(example)
        self._evaluator.transform_from_ntt_inplace(example)
        sum_file = os.memfd_create("securefl-bare", os.MFD_CLOEXEC)
        self._sum_path = f"/proc/self/fd/{sum_file}"
        example.save(self._sum_path)

    def _shared(self) -> np.ndarray:
        """Make as many residues from AES-256-CTR as the shared elements take."""
        # One bit less than the prime has: no residue is above it, and nothing is rejected.
        words = _key_stream(self._elements.nbytes) >> np.uint64(64 - WORD_BITS + 1)
        return words.reshape(self._elements.shape)

    def _product(self, shared: np.ndarray) -> np.ndarray:
        """Multiply each element with one: what a key costs."""
        return self._ring.multiply(shared, shared[0])

    def hospital(self) -> None:
        """Encrypt and mask one contribution."""
        if self._elements.size:
            os.urandom(8 * self._ring.degree * len(self._elements))
            transformed = to_transformed(self._ring, self._elements)
            self._ring.add(transformed, self._product(self._shared()))
        for c0, _ in self._residues:
            ciphertext = sealapi.Ciphertext()
            self._encryptor.encrypt_zero(ciphertext)
            self._evaluator.transform_from_ntt_inplace(ciphertext)
            ciphertext.save(self._path)
            masked = add(c0, self._message, self._modulus)
            unused = np.uint64(64 - self._cipher_ring.bits)
            for _ in range(self._peers):
                mask = _key_stream(8 * self._cipher_ring.degree) >> unused
                masked = add(masked, mask, self._modulus)

    def open(self) -> None:
        """Add the contributions and open the sum."""
        sum_mod_q([self._residues] * (self._peers + 1), self._modulus)
        if self._elements.size:
            total = self._elements
            for _ in range(self._peers):
                total = self._ring.add(total, self._elements)
            from_transformed(self._ring, self._ring.subtract(total, self._product(self._shared())))
        for _ in self._residues:
            ciphertext = sealapi.Ciphertext()
            plaintext = sealapi.Plaintext()
            ciphertext.load(self._context, self._sum_path)
            self._evaluator.transform_to_ntt_inplace(ciphertext)
            self._decryptor.decrypt(ciphertext, plaintext)
            # Stands for the plaintext's transform, which SEAL has only for ciphertexts.
            self._evaluator.transform_from_ntt_inplace(ciphertext)
            plaintext.save(self._path)


def _key_stream(size: int) -> np.ndarray:
    """Encrypt ``size`` zero bytes with AES-256-CTR, and read them as 64-bit words."""
    cipher = Cipher(algorithms.AES256(bytes(32)), modes.CTR(bytes(16)))
    return np.frombuffer(cipher.encryptor().update(bytes(size)), dtype=np.uint64)


def main() -> None:
    """Serve the parent's lines until it closes them."""
    party = _Party(*(int(figure) for figure in sys.argv[1:6]))
    print(0.0, flush=True)  # noqa: T201 - the answer to the parent: ready
    for line in sys.stdin:
        start = time.process_time()
        work, *count = line.split()
        if work == "open":
            party.open()
        else:
            for _ in range(int(count[0])):
                party.hospital()
        print(time.process_time() - start, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
