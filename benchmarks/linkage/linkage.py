"""Two ways to tell hospitals which rows another one counts, measured on invented identifiers.

A keyed hash that a third party compares, and an oblivious pseudorandom function (2HashDH, Jarecki,
Kiayias, Krawczyk 2014, over P-256): a hospital blinds a point that an identifier is hashed to, the
evaluator multiplies it by its key, the hospital takes the blind off. Only x-coordinates travel; the
sign of a point falls out of every product's x.

A prototype for docs/linkage.md. No part of a study calls it.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import math
import secrets
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CURVE = ec.SECP256R1()
#: Order of the group (FIPS 186-5).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ECDH = ec.ECDH()
LABEL = b"securefl/linkage-prototype/1"


def point(x: bytes) -> ec.EllipticCurvePublicKey:
    """The point of even y with this x-coordinate, 32 bytes.

    Raises:
        ValueError: there is none: checked before anything is multiplied.
    """
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x02" + x)


def hashed_to_curve(identifier: bytes) -> ec.EllipticCurvePublicKey:
    """A point that nobody knows a logarithm of, by trying hashes until one is on the curve.

    How many it takes depends on the identifier: the time is for the hospital's own machine alone.
    """
    for attempt in range(256):
        x = hashlib.sha256(LABEL + bytes([attempt]) + identifier).digest()
        try:
            return point(x)
        except ValueError:
            continue
    raise ValueError("no point found")


def times(scalar: int) -> Callable[[ec.EllipticCurvePublicKey], bytes]:
    """Multiply a point by a scalar; the product's x-coordinate."""
    key = ec.derive_private_key(scalar, CURVE)
    return lambda at: key.exchange(ECDH, at)


class Evaluator:
    """Holds the key of the function, sees blinded points, answers as many as were agreed."""

    def __init__(self, most: int) -> None:
        self._multiply = times(secrets.randbelow(ORDER - 1) + 1)
        self.left = most

    def answer(self, blinded: Sequence[bytes]) -> list[bytes]:
        """Products of blinded points.

        Raises:
            ValueError: more are asked than rows were registered, or one is no point.
        """
        if len(blinded) > self.left:
            raise ValueError("more than was agreed")
        self.left -= len(blinded)
        return [self._multiply(point(x)) for x in blinded]


def oblivious(identifiers: Sequence[bytes], evaluator: Evaluator) -> list[bytes]:
    """Pseudonyms of one hospital's rows by the oblivious function."""
    blind = secrets.randbelow(ORDER - 1) + 1
    blinding, unblinding = times(blind), times(pow(blind, -1, ORDER))
    asked = [blinding(hashed_to_curve(one)) for one in identifiers]
    answers = evaluator.answer(asked)
    return [
        hashlib.sha256(LABEL + one + unblinding(point(x))).digest()
        for one, x in zip(identifiers, answers, strict=True)
    ]


def keyed(identifiers: Sequence[bytes], salt: bytes) -> list[bytes]:
    """Pseudonyms by a hash under a key that the hospitals share."""
    return [hmac.digest(salt, LABEL + one, "sha256") for one in identifiers]


def counted(pseudonyms: Mapping[str, Sequence[bytes]]) -> dict[str, list[bool]]:
    """Each hospital's rows, whether it counts them: every person is counted by one, drawn anew."""
    holders: dict[bytes, set[str]] = defaultdict(set)
    for site, rows in pseudonyms.items():
        for row in rows:
            holders[row].add(site)
    chosen = {row: secrets.choice(sorted(sites)) for row, sites in holders.items()}
    return {site: [chosen[row] == site for row in rows] for site, rows in pseudonyms.items()}


def told_epsilon(hospitals: int, dropped: float) -> float:
    """What the bits tell a hospital of one patient, where it drops rows at random besides.

    A row that only this hospital has is dropped with chance ``dropped``; one that ``hospitals``
    share, unless this one is chosen and does not drop it.
    """
    stays = (1 - dropped) / hospitals
    return max(math.log((1 - stays) / dropped), math.log((1 - dropped) / stays))


def tables(sites: int, rows: int, shared: float) -> dict[str, list[bytes]]:
    """Invented identifiers: this share of a hospital's rows is also the next one's."""
    both = int(rows * shared)
    found = {}
    for site in range(sites):
        own = [b"%d-%d" % (site, n) for n in range(rows - both)]
        following = [b"%d-%d" % ((site + 1) % sites, n) for n in range(both)]
        found[f"H{site:02}"] = own + following
    return found


def measure(sites: int, rows: int, shared: float, *, curve: bool) -> dict[str, object]:
    """One way over all hospitals; processor seconds of its stages."""
    given = tables(sites, rows, shared)
    began = time.process_time()
    if curve:
        evaluator = Evaluator(sites * rows)
        hidden = {site: oblivious(own, evaluator) for site, own in given.items()}
    else:
        salt = secrets.token_bytes(32)
        hidden = {site: keyed(own, salt) for site, own in given.items()}
    hashed = time.process_time()
    bits = counted(hidden)
    done = time.process_time()
    people = {one for own in given.values() for one in own}
    once = sum(map(sum, bits.values())) == len(people)
    return {
        "way": "oblivious" if curve else "keyed",
        "hospitals": sites,
        "rows": sites * rows,
        "people": len(people),
        "pseudonyms_seconds": round(hashed - began, 2),
        "microseconds_a_row": round((hashed - began) / (sites * rows) * 1e6, 1),
        "matching_seconds": round(done - hashed, 2),
        "each_counted_once": once,
    }


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hospitals", type=int, default=20)
    parser.add_argument("--rows", type=int, default=50_000, help="of each hospital")
    parser.add_argument("--oblivious-rows", type=int, default=50_000, help="of each hospital")
    parser.add_argument("--shared", type=float, default=0.1)
    given = parser.parse_args()
    found = [
        measure(given.hospitals, given.rows, given.shared, curve=False),
        measure(given.hospitals, given.oblivious_rows, given.shared, curve=True),
    ]
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
