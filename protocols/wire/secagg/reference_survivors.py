"""The messages of a round that survives losses once more, slowly and from the page beside this file: writes survivors-vectors.json.

It shares no code with securefl, only with ``reference.py`` beside it. Shares are polynomials evaluated term by term, HPKE is written
out from RFC 9180 with ephemeral keys that are fixed here, so that the bytes are.
"""  # noqa: INP001 - a script beside its format page, not a package

from __future__ import annotations

import hmac
import json
import runpy
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

BASE = runpy.run_path(str(Path(__file__).with_name("reference.py")))
canonical, digest, hkdf, bits, residues, pair = (
    BASE[n] for n in ("canonical", "digest", "hkdf", "bits", "residues", "pair")
)
MAGIC, N, Q = BASE["MAGIC"], BASE["N"], BASE["Q"]
PRIME = 65521
NAMES = ["A", "B", "C"]


def limbs(secret: bytes) -> list[int]:
    """18 numbers of 15 bits, least significant first."""
    whole = int.from_bytes(secret, "little")
    return [whole >> (15 * i) & 0x7FFF for i in range(18)]


def words(key: bytes) -> Any:  # noqa: ANN401 - a generator of integers
    """Numbers below the prime: 16-bit little-endian words of AES-256-CTR, those at or above it
    skipped.
    """
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    while True:
        word = int.from_bytes(stream.update(bytes(2)), "little")
        if word < PRIME:
            yield word


def share_out(
    secrets: list[bytes], holders: int, threshold: int, key: bytes
) -> list[list[list[int]]]:
    """Holders x secrets x 18; the random coefficients come in the order power, secret, number."""
    source = words(key)
    powers = [[[next(source) for _ in range(18)] for _ in secrets] for _ in range(threshold - 1)]
    table = []
    for x in range(1, holders + 1):
        row = []
        for s, secret in enumerate(secrets):
            row.append([
                (first + sum(powers[m][s][i] * pow(x, m + 1, PRIME) for m in range(threshold - 1))) % PRIME
                for i, first in enumerate(limbs(secret))
            ])  # fmt: skip
        table.append(row)
    return table


def packed(shares: list[list[int]]) -> bytes:
    """16 bits a number, little-endian."""
    return b"".join(number.to_bytes(2, "little") for share in shares for number in share)


def extract(salt: bytes, suite: bytes, label: bytes, key: bytes) -> bytes:
    """LabeledExtract (RFC 9180, section 4)."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")


def expand(key: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand, one block."""
    text = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, text + b"\x01", "sha256")[:size]


def hpke(plain: bytes, recipient: bytes, info: bytes, ephemeral: bytes) -> bytes:
    """HPKE in base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305; the encapsulated key, then the
    ciphertext.
    """
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    encapsulated = own.public_key().public_bytes_raw()
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    shared = extract(
        b"", kem, b"eae_prk", own.exchange(X25519PublicKey.from_public_bytes(recipient))
    )
    shared = expand(shared, kem, b"shared_secret", encapsulated + recipient, 32)
    context = (
        b"\x00" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    )
    secret = extract(shared, suite, b"secret", b"")
    key, nonce = (
        expand(secret, suite, b"key", context, 32),
        expand(secret, suite, b"base_nonce", context, 12),
    )
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, plain, b"")


def key_of(kind: int, name: str) -> bytes:
    """A fixed private key: of study (1), sealing (2), signing (3), or for HPKE (4)."""
    return bytes([16 * kind + NAMES.index(name)] * 32)


def sealing_public(name: str) -> bytes:
    """The public half of a sealing key."""
    return X25519PrivateKey.from_private_bytes(key_of(2, name)).public_key().public_bytes_raw()


def statement(fields: dict[str, Any], signing: bytes) -> str:
    """A signed statement."""
    text = canonical(fields)
    return (
        "securefl-signed/1"
        f" {Ed25519PrivateKey.from_private_bytes(signing).sign(text).hex()}\n{text.decode()}"
    )


def dealing(name: str, seeds: list[bytes], round_digest: bytes, threshold: int) -> bytes:
    """What ``name`` deals to A, B and C."""
    table = share_out(seeds, 3, threshold, key_of(5, name))
    data = b"".join(
        sha256(b"securefl/secagg/seed-commitment/1" + round_digest + seed).digest()
        for seed in seeds
    )
    for holder, row in zip(NAMES, table, strict=True):
        prefix = b"securefl/secagg/share-commitment/1" + round_digest + canonical([name, holder])
        for index, share in enumerate(row):
            data += sha256(prefix + index.to_bytes(4, "big") + packed([share])).digest()[:16]
    for holder, row in zip(NAMES, table, strict=True):
        info = canonical(["securefl/secagg/packet/1", round_digest.hex(), name, holder])
        data += hpke(packed(row), sealing_public(holder), info, key_of(4, name))
    return data


def vectors() -> dict[str, Any]:
    """Everything in survivors-vectors.json: three hospitals, two needed, B lost."""
    plain = BASE["vectors"]()["rings"][0]["round"]["facts"]
    terms = {
        **plain, "format": "securefl-round/4", "length": 100, "min_contributors": 2, "colluders": 0, "degree": 2,
        "share_threshold": 2, "ring_seed": "",
    }  # fmt: skip
    round_digest = sha256(canonical(terms)).digest()
    common = {name: terms[name] for name in ("attempt", "kind", "round", "study")} | {
        "round_digest": round_digest.hex()
    }
    pair_seeds = {
        one + two: hkdf(pair(key_of(1, one), key_of(1, two)), b"securefl/secagg/pair-seed/1" + round_digest)
        for one in NAMES for two in NAMES if one != two
    }  # fmt: skip
    self_seeds = {name: key_of(6, name) for name in NAMES}
    frames, hashes, dealt, tables = {}, {}, {}, {}
    for name in ("A", "C"):
        seeds = [self_seeds[name], *(pair_seeds[name + other] for other in NAMES if other != name)]
        dealt[name] = dealing(name, seeds, round_digest, 2)
        tables[name] = share_out(seeds, 3, 2, key_of(5, name))
        chunk = bits(residues(key_of(7, name), 2 * N, Q), 58)
        fields = {"type": "securefl-contribution/2", **common, "sender": name, "shape": [[1, 2, N]]}
        manifest = statement(
            {**fields, "chunks": [digest(dealt[name]), digest(chunk)]}, key_of(3, name)
        ).encode()
        head = MAGIC + len(manifest).to_bytes(4, "big") + manifest
        hashes[name] = digest(head)
        frames[name] = {
            "manifest": manifest.decode(),
            "sha256_of_all_bytes": digest(head + dealt[name] + chunk),
        }
    parts = [{"sender": name, "sha256": hashes[name]} for name in ("A", "C")]
    survivors = digest(canonical({"round_digest": round_digest.hex(), "survivors": parts}))
    answers = {}
    for holder in ("A", "C"):
        at = NAMES.index(holder)
        # of A: its self-mask seed and its pair seed with B (index 1); of C: its self-mask seed and
        # that with B (index 2)
        body = packed(
            [tables["A"][at][0], tables["A"][at][1], tables["C"][at][0], tables["C"][at][2]]
        )
        fields = {
            "type": "securefl-unmasking/1",
            **common,
            "sender": holder,
            "survivors_sha256": survivors,
            "without": [],
        }
        manifest = statement({**fields, "chunks": [digest(body)]}, key_of(3, holder)).encode()
        answers[holder] = (MAGIC + len(manifest).to_bytes(4, "big") + manifest + body).hex()
    self_key = hkdf(self_seeds["A"], b"securefl/secagg/self-mask-key/1" + bytes(4))
    return {
        "format": "securefl-secagg-survivors-vectors/1",
        "keys": "study, sealing, signing key of hospital i: bytes 16, 32, 48 + i, 32 times; HPKE's ephemeral 64 + i; "
        "AES key of the coefficients 80 + i; self-mask seed 96 + i; AES key of the ciphertext 112 + i",
        "terms": terms,
        "round_digest": round_digest.hex(),
        "pair_seeds": {name: seed_.hex() for name, seed_ in pair_seeds.items()},
        "self_mask_first_residues_A": [str(value) for value in residues(self_key, 4, Q)],
        "shares_A": [packed(row).hex() for row in tables["A"]],
        "dealings": {name: data.hex() for name, data in dealt.items()},
        "contributions": frames,
        "frame_sha256": hashes,
        "survivors_sha256": survivors,
        "proposal": statement(
            {"type": "securefl-survivors/1", **common, "sender": "coordinator", "survivors": parts}, key_of(3, "B")
        ),
        "agreement_A": statement(
            {"type": "securefl-survivors-agreed/1", **common, "sender": "A", "survivors_sha256": survivors}, key_of(3, "A")
        ),
        "answers": answers,
    }  # fmt: skip


def text() -> str:
    """The text of survivors-vectors.json."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "survivors-vectors.json").write_text(text(), "utf-8")
