"""The wire format of secure aggregation once more, slowly and from the page beside this file: it writes vectors.json.

It shares no code with securefl: HKDF is written out over ``hmac``, bit strings are Python integers, polynomials are lists.
``python reference.py`` rewrites vectors.json; the tests hold securefl against that file and this file against it too.
"""  # noqa: INP001 - a script beside its format page, not a package

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class Ring(NamedTuple):
    """A row of the page's table of rings, and what the vectors of this ring hold."""

    n: int
    q: int
    p: int  # 0: there is none
    usable: int
    noise: float
    width: int  # bits of the values
    length: int
    step: int  # in the opened values


LARGE = Ring(4096, 288230376151130113, 4169729, 46, 15.2, 16, 10000, 1000)
SMALL = (
    Ring(2048, 2251799813640193, 0, 51, 170, 16, 4100, 1000),
    Ring(1024, 33550337, 0, 25, 120, 9, 1030, 80),
)
# What carries keys of numbers is in the large ring (reference_round.py, reference_losses.py).
N, Q = LARGE.n, LARGE.q
MAGIC = b"SFLFRM1\n"


def canonical(value: object) -> bytes:
    """RFC 8785 for ASCII keys and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    """Hex SHA-256."""
    return sha256(data).hexdigest()


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869), no salt, 32 bytes: one block."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def bits(values: list[int], width: int) -> bytes:
    """Value i at bits i*width and up, least significant first."""
    whole = 0
    for i, value in enumerate(values):
        whole |= value << (i * width)
    return whole.to_bytes(len(values) * width // 8, "little")


def residues(key: bytes, count: int, modulus: int) -> list[int]:
    """AES-256-CTR by rejection, one word at a time."""
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    found: list[int] = []
    while len(found) < count:
        word = int.from_bytes(stream.update(bytes(8)), "little") & ((1 << modulus.bit_length()) - 1)
        if word < modulus:
            found.append(word)
    return found


def layout(width: int, contributors: int, ring: Ring = LARGE) -> dict[str, Any]:
    """Fields, their width and D."""
    field = width + (contributors - 1).bit_length()
    fields = ring.usable // field
    while (ring.q >> (fields * field)) / 2 < 12 * ring.noise * contributors**0.5:
        fields -= 1
    return {
        "bits": width,
        "contributors": contributors,
        "field_bits": field,
        "fields": fields,
        "scale": str(ring.q >> (fields * field)),
        "values_per_chunk": fields * ring.n - 1,
    }


def pack(values: list[int], width: int, contributors: int, ring: Ring = LARGE) -> list[list[int]]:
    """Messages: a list of N coefficients for each ciphertext."""
    plan = layout(width, contributors, ring)
    per_chunk = plan["values_per_chunk"]
    chunks = -(-len(values) // per_chunk)
    padded = values + [0] * (chunks * per_chunk - len(values))
    messages = []
    for c in range(chunks):
        slots = [1, *padded[c * per_chunk : (c + 1) * per_chunk]]
        messages.append([
            sum((slots[f * ring.n + i] + (1 << (width - 1))) << (f * plan["field_bits"]) for f in range(plan["fields"]))
            for i in range(ring.n)
        ])  # fmt: skip
    return messages


def pair(own: bytes, other: bytes) -> bytes:
    """The pair secret of two X25519 private keys."""
    first, second = (X25519PrivateKey.from_private_bytes(key) for key in (own, other))
    publics = [key.public_key().public_bytes_raw() for key in (first, second)]
    shared = first.exchange(X25519PublicKey.from_public_bytes(publics[1]))
    return hkdf(shared, b"securefl/secagg/pair-secret/1" + b"".join(sorted(publics)))


def chunk_key(seed: bytes, index: int) -> bytes:
    """The AES key of one ciphertext's mask."""
    return hkdf(seed, b"securefl/secagg/chunk-key/1" + index.to_bytes(4, "big"))


def frame(fields: dict[str, Any], chunks: list[bytes], signing: bytes) -> bytes:
    """Magic, length, signed manifest, chunks."""
    text = canonical({**fields, "chunks": [digest(chunk) for chunk in chunks]})
    signature = Ed25519PrivateKey.from_private_bytes(signing).sign(text)
    manifest = b"securefl-signed/1 " + signature.hex().encode() + b"\n" + text
    return MAGIC + len(manifest).to_bytes(4, "big") + manifest + b"".join(chunks)


def negacyclic(a: list[int], sparse: dict[int, int], ring: Ring) -> list[int]:
    """A times a polynomial with few terms, mod X^N + 1 and q."""
    product = [0] * ring.n
    for shift, factor in sparse.items():
        for i, value in enumerate(a):
            at = i + shift
            product[at % ring.n] += -factor * value if at >= ring.n else factor * value
    return [value % ring.q for value in product]


def opening(ring: Ring) -> dict[str, Any]:
    """A ciphertext of known secret key, noise and message; what it must open to."""
    width, contributors = ring.width, 5
    scale = int(layout(width, contributors, ring)["scale"])
    values = [[i * k - ring.step * (i % 3) for i in range(20)] for k in range(1, contributors + 1)]
    message = [
        sum(column)
        for column in zip(*(pack(v, width, contributors, ring)[0] for v in values), strict=True)
    ]
    secret = {3: 1, 500: -1, ring.n - 1: 1}
    noise = [(i * 37) % 201 - 100 for i in range(ring.n)]
    c1 = residues(bytes([7] * 32), ring.n, ring.q)
    product = negacyclic(c1, secret, ring)
    c0 = [(scale * message[i] + noise[i] - product[i]) % ring.q for i in range(ring.n)]
    return {
        "bits": width,
        "contributors": contributors,
        "secret_key": {str(at): value for at, value in secret.items()},
        "c1_from_key": "07" * 32,
        "c0_first": [str(value) for value in c0[:4]],
        "ciphertext_hex_sha256": digest(bits(c0 + c1, ring.q.bit_length())),
        "noise": "(i * 37) % 201 - 100",
        "opened": [sum(column) for column in zip(*values, strict=True)],
    }


def public_key(ring: Ring) -> bytes:
    """The body of a public key of known residues."""
    body = b""
    for prime in (ring.q, ring.p):
        if prime:
            body += bits(residues(bytes([9] * 32), 2 * ring.n, prime), prime.bit_length())
    return body


def of_ring(ring: Ring) -> dict[str, Any]:
    """What differs from ring to ring."""
    width = ring.q.bit_length()
    names = ["A", "B", "C"]
    private = {name: bytes([i + 1] * 32) for i, name in enumerate(names)}
    public = {
        n: X25519PrivateKey.from_private_bytes(k).public_key().public_bytes_raw().hex()
        for n, k in private.items()
    }
    key_body = public_key(ring)
    facts: dict[str, Any] = {
        "attempt": 1,
        "bits": ring.width,
        "bound": 100 if ring.width < 16 else 1000,
        "cohort": names,
        "fields": layout(ring.width, 3, ring)["fields"],
        "format": "securefl-round/3",
        "instances": [digest(b"run of " + name.encode()) for name in names],
        "kind": "update",
        "length": ring.length,
        "model_sha256": digest(b"model"),
        "primes": 0,
        "public_key_sha256": digest(key_body),
        "round": 7,
        "study": digest(b"study"),
    }
    if ring.n != 4096:
        facts["degree"] = ring.n
    round_digest = digest(canonical(facts))
    seeds = {
        one + two: hkdf(
            pair(private[one], private[two]),
            b"securefl/secagg/pair-seed/1" + bytes.fromhex(round_digest),
        )
        for one, two in ("AB", "AC", "BC")
    }
    polynomials = {
        name: [residues(chunk_key(seed, c), ring.n, ring.q) for c in range(2)]
        for name, seed in seeds.items()
    }
    mask_of_b = [
        [
            (plus - minus) % ring.q
            for plus, minus in zip(polynomials["BC"][c], polynomials["AB"][c], strict=True)
        ]
        for c in range(2)
    ]
    signing = bytes([5] * 32)
    flat = residues(bytes([8] * 32), 2 * 2 * ring.n, ring.q)
    chunks = [bits(flat[: 2 * ring.n], width), bits(flat[2 * ring.n :], width)]
    common = {"attempt": 1, "kind": "update", "round": 7, "study": facts["study"]}
    in_round = {**common, "round_digest": round_digest, "shape": [[2, 2, ring.n]]}
    parts = [{"sender": name, "sha256": digest(name.encode())} for name in names]
    frames = {
        "contribution": frame(
            {"type": "securefl-contribution/1", **in_round, "sender": "B"}, chunks, signing
        ),
        "sum": frame(
            {"type": "securefl-sum/1", **in_round, "sender": "aggregator", "parts": parts},
            chunks,
            signing,
        ),
        "public_key": frame(
            {"type": "securefl-public-key/1", **common, "sender": "coordinator"},
            [key_body],
            signing,
        ),
    }
    sample = [(i * i * 2654435761) % ring.q for i in range(64)]
    most = (1 << (ring.width - 1)) - 1
    values = [1, -1, most, -most, 5]
    packed = pack(values, ring.width, 5, ring)[0]
    return {
        "ring": {"degree": ring.n, "modulus": str(ring.q), "special_modulus": str(ring.p)},
        "bit_packing": {
            "width": width,
            "values": [str(value) for value in sample],
            "packed": bits(sample, width).hex(),
        },
        "layouts": [layout(wide, k, ring) for wide, k in LAYOUTS[ring.n]],
        "packing": {
            "bits": ring.width,
            "contributors": 5,
            "values": values,
            "first_coefficients": [str(value) for value in packed[:7]],
            "sha256": digest(bits(packed, 64)),
        },
        "round": {"facts": facts, "digest": round_digest},
        "masks": {
            "private_keys": {name: key.hex() for name, key in private.items()},
            "public_keys": public,
            "pair_secret_AB": pair(private["A"], private["B"]).hex(),
            "pair_seed_AB": seeds["AB"].hex(),
            "chunk_keys_AB": [chunk_key(seeds["AB"], c).hex() for c in range(2)],
            "first_residues_AB": [str(value) for value in polynomials["AB"][0][:4]],
            "mask_of_B_sha256": [digest(bits(row, width)) for row in mask_of_b],
        },
        "public_key": {
            "residues_from_key": "09" * 32,
            "sha256": digest(key_body),
            "bytes": len(key_body),
        },
        "opening": opening(ring),
        "frames": {
            "signing_private_key": signing.hex(),
            "ciphertext_from_key": "08" * 32,
            **{
                name: {
                    "bytes": len(data),
                    "sha256": digest(data),
                    "manifest": data[12 : 12 + int.from_bytes(data[8:12], "big")].decode(),
                }
                for name, data in frames.items()
            },
        },
    }


#: (bits, hospitals) by degree.
LAYOUTS = {
    4096: ((8, 8), (12, 5), (12, 8), (16, 1), (16, 5), (16, 126), (16, 127), (24, 5)),
    2048: ((6, 100), (9, 5), (15, 5), (16, 5), (24, 100)),
    1024: ((6, 3), (9, 5), (7, 16)),
}


def vectors() -> dict[str, Any]:
    """Everything in vectors.json: the large ring's, then the small ones'."""
    return {
        "format": "securefl-secagg-vectors/2",
        "uniform": {"key": "00" * 32, "modulus": "257", "residues": residues(bytes(32), 40, 257)},
        "rings": [of_ring(ring) for ring in (LARGE, *SMALL)],
    }


def text() -> str:
    """The text of vectors.json."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "vectors.json").write_text(text(), "utf-8")
