"""BFV beside CKKS with integer coefficients: the same integers, the same machine, the same run.

``python bfv.py PARAMETERS CLIENTS BITS ROUNDS``; prints one JSON object. BFV is SEAL's, through
TenSEAL's binding: degree 4096, integers in the coefficients, fields of bits + ceil(log2 K). It is
measured at SEAL's own primes for that degree, [36, 36, 37] (109 bits in all; a plain modulus of 44
bits), and at the two primes of securefl's CKKS, [58, 22], with a plain modulus as wide as the
fields that CKKS has. CKKS is securefl's own. Both are packed to as few bits as residues have, and
added with numpy. Masks and frames, which would be the same for both, are left out. All in one
process.
"""

# ruff: noqa: ANN001, ANN002, ANN201, ANN202 - sealapi has no types, and arrays are named in the docstrings

from __future__ import annotations

import json
import os
import statistics
import struct
import sys
import time
from collections import defaultdict

import numpy as np
from tenseal import sealapi

from securefl.bench.sums import bench_vector
from securefl.secagg.packing import FieldLayout
from securefl.secagg.ring import DEGREE, MODULUS_BITS, pack_bits, sum_mod_q, unpack_bits
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.seal_memory import read_all


class Ckks:
    """securefl's own cipher."""

    name = "CKKS, integer coefficients, [58, 22]"

    def __init__(self, bits: int, clients: int) -> None:
        self.layout, self.cipher = FieldLayout(bits, clients), CkksIntegers()
        self.keys = self.cipher.generate()
        self.fields = self.layout.fields

    def pack(self, values):
        """int64[d] to uint64[chunks, 4096]."""
        return self.layout.pack(values)

    def encrypt(self, messages):
        """Messages to residues, one row a chunk."""
        return self.cipher.encrypt(self.keys.public, messages, self.layout)

    def write(self, ciphertext):
        """Residues to the bytes that travel."""
        return pack_bits(ciphertext, MODULUS_BITS)

    def read(self, data):
        """Bytes to residues."""
        return unpack_bits(data, MODULUS_BITS).reshape(-1, 2, DEGREE)

    def add(self, ciphertexts):
        """The sum of all clients, residue by residue."""
        return sum_mod_q(ciphertexts)

    def decrypt(self, ciphertext, length):
        """The summed integers, int64[length]."""
        messages, _ = self.keys.open_once(ciphertext, self.layout)
        self.keys = self.cipher.generate()
        return self.layout.unpack(messages, length)[0]


class Bfv:
    """SEAL's BFV with integers in the coefficients, handled as securefl handles CKKS."""

    def __init__(self, bits: int, clients: int, primes: list[int], usable: int) -> None:
        self.name = f"BFV, integer coefficients, {primes}"
        self.bits, self.clients, self.width, self.primes = bits, clients, primes[0], len(primes) - 1
        self.field_bits = bits + (clients - 1).bit_length()
        self.fields = usable // self.field_bits
        parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.BFV)
        parameters.set_poly_modulus_degree(DEGREE)
        parameters.set_coeff_modulus(sealapi.CoeffModulus.Create(DEGREE, primes))
        parameters.set_plain_modulus(1 << (self.fields * self.field_bits))
        self.context = sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)
        self.q = np.array([p.value() for p in parameters.coeff_modulus()][:-1], dtype=np.uint64)[
            :, None
        ]
        generator, public = sealapi.KeyGenerator(self.context), sealapi.PublicKey()
        generator.create_public_key(public)
        self.encryptor = sealapi.Encryptor(self.context, public)
        self.decryptor = sealapi.Decryptor(self.context, generator.secret_key())

    def pack(self, values):
        """int64[d] to uint64[chunks, 4096]."""
        per_chunk = self.fields * DEGREE
        slots = np.zeros(-(-values.size // per_chunk) * per_chunk, dtype=np.int64)
        slots[: values.size] = values
        fields = (slots + (1 << (self.bits - 1))).astype(np.uint64).reshape(-1, self.fields, DEGREE)
        return np.bitwise_or.reduce(
            [fields[:, i] << np.uint64(i * self.field_bits) for i in range(self.fields)]
        )

    def encrypt(self, messages):
        """Messages to residues, one row a chunk."""
        result = np.empty((len(messages), 2, self.primes, DEGREE), dtype=np.uint64)
        for row, message in zip(result, messages, strict=True):
            plaintext, ciphertext = sealapi.Plaintext(), sealapi.Ciphertext()
            members = bytes(32) + struct.pack("<Qd", DEGREE, 1.0)
            _load(self.context, plaintext, members, message)
            self.encryptor.encrypt(plaintext, ciphertext)
            row[:] = read_all(ciphertext.dyn_array(), whole=True).reshape(2, self.primes, DEGREE)
        return result

    def write(self, ciphertext):
        """Residues to the bytes that travel."""
        return pack_bits(ciphertext, self.width)

    def read(self, data):
        """Bytes to residues."""
        return unpack_bits(data, self.width).reshape(-1, 2, self.primes, DEGREE)

    def add(self, ciphertexts):
        """The sum of all clients, residue by residue."""
        total = ciphertexts[0]
        for other in ciphertexts[1:]:
            total = total + other
            total = np.minimum(total, total - self.q)
        return total

    def decrypt(self, ciphertext, length):
        """The summed integers, int64[length]."""
        messages = np.zeros((len(ciphertext), DEGREE), dtype=np.uint64)
        for row, chunk in zip(messages, ciphertext, strict=True):
            carrier, plaintext = sealapi.Ciphertext(), sealapi.Plaintext()
            members = struct.pack("<4Q", *self.context.first_parms_id()) + struct.pack(
                "<BQQQdQ", 0, 2, DEGREE, self.primes, 1.0, 1
            )
            _load(self.context, carrier, members, chunk)
            self.decryptor.decrypt(carrier, plaintext)
            read = read_all(plaintext.dyn_array(), whole=True)
            row[: read.size] = read
        low, offset = np.uint64((1 << self.field_bits) - 1), self.clients << (self.bits - 1)
        slots = np.stack(
            [(messages >> np.uint64(i * self.field_bits)) & low for i in range(self.fields)], axis=1
        )
        return slots.reshape(-1)[:length].astype(np.int64) - offset


def _header(payload: int) -> bytes:
    return struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 0, 0, 16 + payload)


def _load(context, target, members: bytes, residues) -> None:
    """Load a SEAL object from a file in memory that is written here."""
    data = residues.astype("<u8").tobytes()
    array = _header(8 + len(data)) + struct.pack("<Q", residues.size) + data
    with os.fdopen(os.memfd_create("bfv", os.MFD_CLOEXEC), "wb", buffering=0) as file:
        file.write(_header(len(members) + len(array)) + members + array)
        target.load(context, f"/proc/self/fd/{file.fileno()}")


def measure(scheme, values, rounds: int) -> dict:
    """Medians of each stage: a client's for pack, encrypt and write; the whole round's for read,
    add and decrypt.
    """
    seconds, exact, size = defaultdict(list), True, 0
    expected = np.sum(values, axis=0)

    def timed(stage, step, *arguments):
        start = time.process_time()
        result = step(*arguments)
        spent[stage] += time.process_time() - start
        return result

    for _ in range(rounds):
        spent = defaultdict(float)
        frames = []
        for vector in values:
            messages = timed("pack", scheme.pack, vector)
            frames.append(timed("write", scheme.write, timed("encrypt", scheme.encrypt, messages)))
        size = len(frames[0])
        total = timed("add", scheme.add, [timed("read", scheme.read, f) for f in frames])
        opened = timed("decrypt", scheme.decrypt, total, expected.size)
        exact &= bool(np.array_equal(opened, expected))
        for stage, spending in spent.items():
            seconds[stage].append(
                spending / (len(values) if stage in {"pack", "encrypt", "write", "read"} else 1)
            )
    return {
        "scheme": scheme.name,
        "fields": scheme.fields,
        "bytes_per_parameter": size / expected.size,
        "exact": exact,
        **{f"{stage}_cpu_seconds": statistics.median(s) for stage, s in seconds.items()},
    }


def main() -> None:
    """The three, one after the other."""
    parameters, clients, bits, rounds = map(int, sys.argv[1:5])
    values = [bench_vector(i, parameters, (1 << (bits - 1)) - 1) for i in range(clients)]
    ckks = Ckks(bits, clients)
    schemes = [
        ckks,
        Bfv(bits, clients, [36, 36, 37], 44),
        Bfv(bits, clients, [58, 22], ckks.fields * ckks.layout.field_bits),
    ]
    figures = [measure(scheme, values, rounds) for scheme in schemes]
    print(
        json.dumps({"parameters": parameters, "clients": clients, "bits": bits, "schemes": figures})
    )


if __name__ == "__main__":
    main()
