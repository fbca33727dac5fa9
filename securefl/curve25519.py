"""Soundness of public keys on Curve25519: canonical encoding, and no point of small order.

An Ed25519 key of small order has a signature that verifies under every message: whoever can write
to the store speaks for its owner, and its owner can deny everything. A key of mixed order (a sound
point plus one of small order) is refused as well: verifiers with and without the cofactor disagree
on its signatures (Chalkias, Garillot, Nikolaenko 2020, "Taming the many EdDSAs", section 3), so its
owner could make a statement that one hospital accepts and another refuses. An encoding that is not
canonical gives one key two spellings, and fingerprints compare spellings.

An X25519 key of small order makes a shared secret that everybody knows (RFC 7748 section 6.1).
Points of mixed order are harmless there: the private scalar is a multiple of the cofactor 8 (RFC
7748 section 5), which takes the small part away.

Plain integers, no secret input: nothing here needs constant time.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: RFC 7748 section 4.1: the field's prime, and the order of the base point.
P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
#: RFC 8032 section 5.1: the curve's constant d, and a square root of -1.
_D: Final = -121665 * pow(121666, -1, P) % P
_ROOT: Final = pow(2, (P - 1) // 4, P)
#: The u-coordinates below p whose order, on the curve or on its twist, divides 8.
_LOW_ORDER_U: Final = frozenset(
    {
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")

#: A point in extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x·y = T/Z (RFC 8032 section
#: 5.1.4).
_Point = tuple[int, int, int, int]
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def is_signing_key(text: str) -> bool:
    """True for an Ed25519 public key in hex: canonical, on the curve, of the base point's order."""
    return _HEX_KEY.fullmatch(text) is not None and _is_signing_key(text)


def is_agreement_key(text: str) -> bool:
    """True for an X25519 public key in hex: canonical, and not of small order."""
    if not _HEX_KEY.fullmatch(text):
        return False
    u = int.from_bytes(bytes.fromhex(text), "little")
    return u < P and u not in _LOW_ORDER_U


@lru_cache(maxsize=4096)
def _is_signing_key(text: str) -> bool:
    """The same for text of the right form. Cached: a study has many signatures and few keys."""
    point = _decoded(bytes.fromhex(text))
    # The neutral element has every order; L times it is neutral, and it is no key.
    if point is None or _is_neutral(point):
        return False
    # Neutral only without a part of small order: L is prime to the cofactor.
    return _is_neutral(_multiplied(L, point))


def _decoded(data: bytes) -> _Point | None:
    """Decode a point by RFC 8032 section 5.1.3, with two checks that many libraries leave out."""
    number = int.from_bytes(data, "little")
    sign = number >> 255
    y = number & (2**255 - 1)
    # First check: y below the prime, or the same point has another spelling.
    if y >= P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    # p is 5 modulo 8: where there is a root, this is one of the square or of its negative.
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * _ROOT % P
    # No root at all: the point is not on the curve.
    if x * x % P != square:
        return None
    # Second check: zero has no sign, so minus zero is another spelling.
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _added(one: _Point, two: _Point) -> _Point:
    """Add two points by the complete law of RFC 8032 section 5.1.4; it doubles as well."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = two
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * t1 * t2 * _D % P
    d = 2 * z1 * z2 % P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiplied(scalar: int, point: _Point) -> _Point:
    """Multiply by doubling and adding, from the highest bit; nothing here is secret."""
    result = _NEUTRAL
    for bit in f"{scalar:b}":
        result = _added(result, result)
        if bit == "1":
            result = _added(result, point)
    return result


def _is_neutral(point: _Point) -> bool:
    """True for the point (0, 1)."""
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0
