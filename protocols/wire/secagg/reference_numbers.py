"""Numbers under keys that add up, a second time and slowly: numbers.md without any code of securefl.

Writes numbers-vectors.json; ``open_sum`` adds and opens the elements of frames whose keys are known.
"""  # noqa: INP001 - a script beside its format page, not a package

from __future__ import annotations

import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RINGS: dict[int, tuple[int, list[int]]] = {
    1: (4096, [288230376151130113]),
    2: (8192, [288230376150712321, 288230376150876161]),
    3: (8192, [288230376150630401, 288230376150712321, 288230376150876161]),
}


def uniform(key: bytes, count: int, modulus: int) -> list[int]:
    """The first ``count`` uniform residues of a key."""
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    keep = (1 << modulus.bit_length()) - 1
    found: list[int] = []
    while len(found) < count:
        word = int.from_bytes(stream.update(bytes(8)), "little") & keep
        if word < modulus:
            found.append(word)
    return found


def root(degree: int, prime: int) -> int:
    """The least primitive root of unity of order ``2 * degree``."""
    x = 2
    while pow(found := pow(x, (prime - 1) // (2 * degree), prime), degree, prime) != prime - 1:
        x += 1
    least, square = found, found * found % prime
    for _ in range(degree):
        found = found * square % prime
        least = min(least, found)
    return least


def reversed_bits(index: int, bits: int) -> int:
    """``index`` with its lowest ``bits`` bits in the other order."""
    return int(format(index, f"0{bits}b")[::-1], 2)


def evaluate(coefficients: list[int], points: list[int], prime: int) -> list[int]:
    """The polynomial at x for each x in ``points``, which come as the odd powers of psi in
    bit-reversed order.

    By halves: at x and -x the even part is the same and the odd part changes its sign.
    """
    if len(coefficients) == 1:
        return coefficients
    squares = [x * x % prime for x in points[::2]]
    even, odd = (
        evaluate(coefficients[::2], squares, prime),
        evaluate(coefficients[1::2], squares, prime),
    )
    found = []
    for e, o, x in zip(even, odd, points[::2], strict=True):
        found += [(e + x * o) % prime, (e - x * o) % prime]
    return found


def transformed(coefficients: list[int], prime: int) -> list[int]:
    """Values in transformed order."""
    degree = len(coefficients)
    psi, bits = root(degree, prime), degree.bit_length() - 1
    powers = [1]
    for _ in range(2 * degree - 1):
        powers.append(powers[-1] * psi % prime)
    return evaluate(
        coefficients, [powers[2 * reversed_bits(i, bits) + 1] for i in range(degree)], prime
    )


def coefficients_of(values: list[int], prime: int) -> list[int]:
    """The inverse of :func:`transformed`."""
    degree = len(values)
    psi, bits = root(degree, prime), degree.bit_length() - 1
    powers = [1]
    for _ in range(2 * degree - 1):
        powers.append(powers[-1] * psi % prime)
    # The points' inverses: psi has order 2 * degree.
    inverses = [powers[-(2 * reversed_bits(i, bits) + 1)] for i in range(degree)]
    half = pow(2, -1, prime)

    def interpolate(values: list[int], inverses: list[int]) -> list[int]:
        if len(values) == 1:
            return values
        squares = [x * x % prime for x in inverses[::2]]
        pairs = list(zip(values[::2], values[1::2], inverses[::2], strict=True))
        even = interpolate([(a + b) * half % prime for a, b, _ in pairs], squares)
        odd = interpolate([(a - b) * half * x % prime for a, b, x in pairs], squares)
        return [c for pair in zip(even, odd, strict=True) for c in pair]

    return interpolate(values, inverses)


def layout(bits: int, contributors: int, primes: int) -> dict[str, int]:
    """The packing's figures."""
    degree, moduli = RINGS[primes]
    field = bits + (contributors - 1).bit_length()
    room = math.ceil(math.log2(12 * 4.6 * math.sqrt(contributors))) + 1
    fields, largest = 0, contributors * ((1 << bits) - 1)
    while room + (fields + 1) * field <= 58 * primes:
        # The sum of all with its errors, were this the last field.
        if (largest + 1) << (room + fields * field) > math.prod(moduli):
            break
        fields += 1
    return {
        "bits": bits,
        "contributors": contributors,
        "primes": primes,
        "field_bits": field,
        "error_bits": room,
        "fields": fields,
        "values": fields * degree - 1,
    }


def pack(values: list[int], shape: dict[str, int]) -> list[int]:
    """The coefficients of one element."""
    degree, _ = RINGS[shape["primes"]]
    slots = [1, *values, *[0] * (shape["values"] - len(values))]
    found = []
    for i in range(degree):
        coefficient = 0
        for j in range(shape["fields"]):
            slot = slots[i * shape["fields"] + j] + (1 << (shape["bits"] - 1))
            coefficient += slot << (shape["error_bits"] + j * shape["field_bits"])
        found.append(coefficient)
    return found


def cut(length: int, shape: dict[str, int]) -> int:
    """Coefficients of an element that holds ``length`` values."""
    degree, _ = RINGS[shape["primes"]]
    needed = -(-(length + 1) // shape["fields"])
    return min(degree, -(-needed // 64) * 64)


def shared(digest: str, element: int, primes: int) -> list[list[int]]:
    """a, modulo each prime, in transformed order."""
    degree, moduli = RINGS[primes]
    found = []
    for index, prime in enumerate(moduli):
        info = b"securefl/secagg/shared-element/1" + element.to_bytes(4, "big") + bytes([index])
        key = HKDF(SHA256(), 32, salt=None, info=info).derive(bytes.fromhex(digest))
        found.append(uniform(key, degree, prime))
    return found


def encrypt(
    values: list[int], key: list[int], errors: list[int], digest: str, shape: dict[str, int]
) -> list[list[int]]:
    """The last, cut element of a contribution, by coefficients, modulo each prime; element 0 of the
    round.
    """
    degree, moduli = RINGS[shape["primes"]]
    message, count = pack(values, shape), cut(len(values), shape)
    found = []
    for prime, a in zip(moduli, shared(digest, 0, shape["primes"]), strict=True):
        product = [
            x * y % prime
            for x, y in zip(a, transformed([k % prime for k in key], prime), strict=True)
        ]
        mask = coefficients_of(product, prime)
        found.append([(mask[i] + errors[i] + message[i]) % prime for i in range(degree)][:count])
    return found


def open_sum(
    total: list[list[int]], key: list[int], digest: str, shape: dict[str, int], length: int
) -> list[int]:
    """The sums in a cut element, by the sum of the keys."""
    moduli = RINGS[shape["primes"]][1]
    half = 1 << (shape["error_bits"] - 1)
    residues = []
    for prime, row, a in zip(moduli, total, shared(digest, 0, shape["primes"]), strict=True):
        product = [
            x * y % prime
            for x, y in zip(a, transformed([k % prime for k in key], prime), strict=True)
        ]
        mask = coefficients_of(product, prime)
        residues.append([(b - m + half) % prime for b, m in zip(row, mask, strict=False)])
    whole, slots = math.prod(moduli), []
    for parts in zip(*residues, strict=True):
        integer = (
            sum(
                r * (whole // p) * pow(whole // p, -1, p)
                for r, p in zip(parts, moduli, strict=True)
            )
            % whole
        )
        if abs((integer & (2 * half - 1)) - half) > 0.75 * half or integer >> (
            shape["error_bits"] + shape["fields"] * shape["field_bits"]
        ):
            raise ValueError("no complete sum")
        for j in range(shape["fields"]):
            slot = integer >> (shape["error_bits"] + j * shape["field_bits"]) & (
                (1 << shape["field_bits"]) - 1
            )
            slots.append(slot - (shape["contributors"] << (shape["bits"] - 1)))
    if slots[0] != shape["contributors"] or any(slots[length + 1 :]):
        raise ValueError("no complete sum")
    return slots[1 : length + 1]


def hashed(rows: list[list[int]]) -> str:
    """SHA-256 of residues of 58 bits, bit-packed."""
    flat = [value for row in rows for value in row]
    packed = sum(value << (58 * i) for i, value in enumerate(flat))
    return sha256(packed.to_bytes(-(-58 * len(flat) // 8), "little")).hexdigest()


def case(bits: int, contributors: int, primes: int) -> dict[str, Any]:
    """One sum: fixed keys, errors and values, every hospital's element, and what opens."""
    degree, _ = RINGS[primes]
    shape, digest = (
        layout(bits, contributors, primes),
        sha256(f"{bits}/{contributors}/{primes}".encode()).hexdigest(),
    )
    most, length = (1 << (bits - 1)) - 1, 70
    values = [
        [(i * i * (k + 3)) % (2 * most + 1) - most for i in range(length)]
        for k in range(contributors)
    ]
    keys = [[(i * (k + 2) + i * i) % 19 - 9 for i in range(degree)] for k in range(contributors)]
    errors = [[(i * (k + 5)) % 23 - 11 for i in range(degree)] for k in range(contributors)]
    elements = [
        encrypt(v, s, e, digest, shape) for v, s, e in zip(values, keys, errors, strict=True)
    ]
    moduli = RINGS[primes][1]
    total = [
        [sum(column) % p for column in zip(*rows, strict=True)]
        for p, rows in zip(moduli, zip(*elements, strict=True), strict=True)
    ]
    opened = open_sum(
        total, [sum(column) for column in zip(*keys, strict=True)], digest, shape, length
    )
    if opened != [sum(column) for column in zip(*values, strict=True)]:
        raise ValueError("the reference does not open its own sum")
    return {
        "layout": shape,
        "round_digest": digest,
        "residues": cut(length, shape),
        "length": length,
        "values": "(i * i * (k + 3)) mod (2 most + 1) - most",
        "keys": "(i * (k + 2) + i * i) mod 19 - 9",
        "errors": "(i * (k + 5)) mod 23 - 11",
        "shared_first": [[str(v) for v in row[:3]] for row in shared(digest, 0, primes)],
        "elements_sha256": [hashed(rows) for rows in elements],
        "sum_sha256": hashed(total),
        "opened": opened,
    }


def vectors() -> dict[str, Any]:
    """Everything in numbers-vectors.json."""
    return {
        "format": "securefl-numbers-vectors/1",
        "layouts": [
            layout(b, k, p)
            for b, k, p in (
                (16, 5, 1),
                (16, 5, 2),
                (16, 5, 3),
                (8, 5, 3),
                (8, 8, 3),
                (6, 5, 2),
                (24, 4096, 1),
                (12, 40, 2),
            )
        ],
        "cases": [case(16, 3, 1), case(8, 2, 2), case(12, 3, 3)],
    }


def text() -> str:
    """The text of numbers-vectors.json."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "numbers-vectors.json").write_text(text(), "utf-8")
