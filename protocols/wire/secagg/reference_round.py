"""Whole contributions under keys that add up, once more: made, read, added and opened from the pages beside this file.

    python reference_round.py                      writes round-vectors.json
    python reference_round.py --example FOLDER     writes the frames of its first case, and round.json, into FOLDER
    python reference_round.py FOLDER               reads FOLDER/*.contribution by FOLDER/round.json, adds them, and prints the sum

Slow, and without any code of securefl: arithmetic on Python's integers, the formats of README.md and numbers.md.
``round.json`` holds what only a test may know, the coordinator's secret key.
"""  # noqa: INP001 - a script beside its format page, not a package

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import reference as ciphertexts  # noqa: E402 - the folder comes first
import reference_numbers as numbers  # noqa: E402

#: Bits of a key's coefficient in the ciphertexts.
KEY_BITS = 8
Rows = list[list[int]]


def sections(facts: dict[str, Any]) -> list[tuple[int, int, list[int]]]:
    """What a body consists of: items, residues in a row, and the modulus of each row of an item."""
    hospitals = len(facts["cohort"])
    if not facts["primes"]:  # few numbers: the ciphertexts hold them
        in_each = ciphertexts.layout(facts["bits"], hospitals)["values_per_chunk"]
        return [(-(-facts["length"] // in_each), ciphertexts.N, [ciphertexts.Q, ciphertexts.Q])]
    degree, moduli = numbers.RINGS[facts["primes"]]
    keys = -(-degree // ciphertexts.layout(KEY_BITS, hospitals)["values_per_chunk"])
    found = [(keys, ciphertexts.N, [ciphertexts.Q, ciphertexts.Q])]
    shape = numbers.layout(facts["bits"], hospitals, facts["primes"])
    whole, rest = divmod(facts["length"], shape["values"])
    if whole:
        found.append((whole, degree, moduli))
    if rest:
        found.append((1, numbers.cut(rest, shape), moduli))
    return found


def digest_of(facts: dict[str, Any]) -> str:
    """The round digest."""
    return ciphertexts.digest(ciphertexts.canonical(facts))


def times_secret(polynomial: list[int], secret: dict[int, int]) -> list[int]:
    """A polynomial of the ciphertexts' ring times the coordinator's secret key, given by its terms."""
    q = ciphertexts.Q
    dense = [secret.get(i, 0) % q for i in range(ciphertexts.N)]
    pairs = zip(numbers.transformed(polynomial, q), numbers.transformed(dense, q), strict=True)
    return numbers.coefficients_of([x * y % q for x, y in pairs], q)


# Made by one hospital.


def key_ciphertexts(
    key: list[int], hospitals: int, secret: dict[int, int], stream: bytes
) -> list[Rows]:
    """The key in ciphertexts (c0, c1) under the coordinator's secret key; ``stream`` gives c1, noise is by formula."""
    plan = ciphertexts.layout(KEY_BITS, hospitals)
    found = []
    for index, message in enumerate(ciphertexts.pack(key, KEY_BITS, hospitals)):
        c1 = ciphertexts.residues(
            ciphertexts.chunk_key(stream, index), ciphertexts.N, ciphertexts.Q
        )
        product = times_secret(c1, secret)
        c0 = [
            (int(plan["scale"]) * m + (i * 37) % 51 - 25 - p) % ciphertexts.Q
            for i, (m, p) in enumerate(zip(message, product, strict=True))
        ]
        found.append([c0, c1])
    return found


def masked(items: list[Rows], me: str, seeds: dict[str, bytes]) -> list[Rows]:
    """c0 plus the masks with hospitals whose names follow, less those with names before."""
    found = []
    for index, (c0, c1) in enumerate(items):
        row = c0
        for other, seed in seeds.items():
            mask = ciphertexts.residues(
                ciphertexts.chunk_key(seed, index), ciphertexts.N, ciphertexts.Q
            )
            sign = 1 if other > me else -1
            row = [(x + sign * m) % ciphertexts.Q for x, m in zip(row, mask, strict=True)]
        found.append([row, c1])
    return found


def elements(values: list[int], key: list[int], facts: dict[str, Any]) -> list[list[Rows]]:
    """The numbers' sections; errors are by formula."""
    shape = numbers.layout(facts["bits"], len(facts["cohort"]), facts["primes"])
    degree, moduli = numbers.RINGS[facts["primes"]]
    transformed_key = [numbers.transformed([k % p for k in key], p) for p in moduli]
    found, place, index = [], 0, 0
    for count, kept, _ in sections(facts)[1:]:
        items = []
        for _ in range(count):
            packed = numbers.pack(values[place : place + shape["values"]], shape)
            noisy = [m + (i * 5 + index) % 23 - 11 for i, m in enumerate(packed)]
            rows = []
            for prime, a, s in zip(
                moduli,
                numbers.shared(digest_of(facts), index, facts["primes"]),
                transformed_key,
                strict=True,
            ):
                message = numbers.transformed([x % prime for x in noisy], prime)
                row = [(x * y + m) % prime for x, y, m in zip(a, s, message, strict=True)]
                rows.append(row if kept == degree else numbers.coefficients_of(row, prime)[:kept])
            items.append(rows)
            place, index = place + shape["values"], index + 1
        found.append(items)
    return found


def head_of(facts: dict[str, Any], sender: str) -> dict[str, Any]:
    """The fields of a contribution's manifest, its chunks' hashes apart."""
    return {
        "type": "securefl-contribution/1",
        "sender": sender,
        "round_digest": digest_of(facts),
        "shape": [[count, len(moduli), degree] for count, degree, moduli in sections(facts)],
        **{name: facts[name] for name in ("study", "round", "attempt", "kind")},
    }


def frame(body: list[list[Rows]], facts: dict[str, Any], me: str, signing: bytes) -> bytes:
    """A contribution as it travels."""
    chunks = [
        ciphertexts.bits([x for row in item for x in row], 58) for items in body for item in items
    ]
    return ciphertexts.frame(head_of(facts, me), chunks, signing)


# Read by anybody, added, and opened by the holder of the coordinator's key.


def read(data: bytes, facts: dict[str, Any], sender: str, public: bytes) -> list[list[Rows]]:
    """A frame's body. ValueError or InvalidSignature where anything is not as the page says."""
    end = end_of_manifest(data)
    hashes = signed_hashes(data[12:end], head_of(facts, sender), public)
    return body_of(data, end, hashes, facts)


def end_of_manifest(data: bytes) -> int:
    """The place of a frame's first chunk."""
    if data[:8] != ciphertexts.MAGIC:
        raise ValueError("no frame")
    return 12 + int.from_bytes(data[8:12], "big")


def body_of(data: bytes, place: int, signed: list[str], facts: dict[str, Any]) -> list[list[Rows]]:
    """The chunks of numbers from ``place`` on, each with the hash that was signed."""
    hashes = iter(signed)
    found: list[list[Rows]] = []
    for count, degree, moduli in sections(facts):
        size = len(moduli) * degree * 58 // 8
        items = []
        for _ in range(count):
            chunk = data[place : place + size]
            if len(chunk) != size or ciphertexts.digest(chunk) != next(hashes, None):
                raise ValueError("a chunk that was not signed")
            items.append(rows_of(chunk, degree, moduli))
            place += size
        found.append(items)
    if place != len(data) or next(hashes, None) is not None:
        raise ValueError("another length")
    return found


def signed_hashes(signed: bytes, head: dict[str, Any], public: bytes) -> list[str]:
    """The chunks' hashes in a manifest that says ``head`` and nothing else."""
    mark, signature, text = signed[:18], signed[18:146], signed[147:]
    if mark != b"securefl-signed/1 " or signed[146:147] != b"\n":
        raise ValueError("no signed manifest")
    Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature.decode()), text)
    manifest = json.loads(text)
    if ciphertexts.canonical(manifest) != text:
        raise ValueError("another spelling")
    hashes: list[str] = manifest.pop("chunks")
    if manifest != head:
        raise ValueError("a frame of another round")
    return hashes


def rows_of(chunk: bytes, degree: int, moduli: list[int]) -> Rows:
    """The residues of one item, a row for each modulus."""
    flat = []
    for start in range(0, len(chunk), 464):  # 64 residues at a time
        group = int.from_bytes(chunk[start : start + 464], "little")
        flat += [group >> (58 * i) & ((1 << 58) - 1) for i in range(64)]
    rows = [flat[i * degree : (i + 1) * degree] for i in range(len(moduli))]
    if any(x >= p for row, p in zip(rows, moduli, strict=True) for x in row):
        raise ValueError("no residue")
    if any(row.count(0) > 8 or min(row) == max(row) for row in rows):
        raise ValueError("an empty or constant polynomial")
    return rows


def add(bodies: list[list[list[Rows]]], facts: dict[str, Any]) -> list[list[Rows]]:
    """The sum of bodies, row by row modulo its prime."""
    found = []
    for (_, _, moduli), parts in zip(sections(facts), zip(*bodies, strict=True), strict=True):
        items = []
        for same in zip(*parts, strict=True):
            rows = zip(*same, strict=True)
            items.append([
                [sum(column) % p for column in zip(*row, strict=True)] for row, p in zip(rows, moduli, strict=True)
            ])  # fmt: skip
        found.append(items)
    return found


def open_ciphertexts(
    items: list[Rows], secret: dict[int, int], plan: dict[str, Any], length: int, contributors: int
) -> list[int]:
    """The sums of ``length`` integers in ciphertexts packed by ``plan``, from so many hospitals."""
    scale, width, bits = int(plan["scale"]), plan["field_bits"], plan["bits"]
    opened: list[int] = []
    for c0, c1 in items:
        product = times_secret(c1, secret)
        noisy = [(x + y + scale // 2) % ciphertexts.Q for x, y in zip(c0, product, strict=True)]
        messages = [x // scale for x in noisy]
        if any(
            abs(x - m * scale - scale // 2) > 0.75 * scale / 2
            for x, m in zip(noisy, messages, strict=True)
        ):
            raise ValueError("no complete sum")
        slots = [
            (m >> (f * width) & ((1 << width) - 1)) - (contributors << (bits - 1))
            for f in range(plan["fields"])
            for m in messages
        ]
        if slots[0] != contributors or any(m >> (plan["fields"] * width) for m in messages):
            raise ValueError("no complete sum")
        opened += slots[1:]
    most = contributors * ((1 << (bits - 1)) - 1)
    if any(opened[length:]) or any(abs(x) > most for x in opened):
        raise ValueError("no complete sum")
    return opened[:length]


def open_keys(
    items: list[Rows], facts: dict[str, Any], secret: dict[int, int], contributors: int
) -> list[int]:
    """S, the sum of the keys."""
    plan = ciphertexts.layout(KEY_BITS, len(facts["cohort"]))
    degree, _ = numbers.RINGS[facts["primes"]]
    opened = open_ciphertexts(items, secret, plan, degree, contributors)
    if any(abs(x) > 65 * contributors for x in opened):
        raise ValueError("no sum of keys")
    return opened


def open_sum(
    total: list[list[Rows]],
    facts: dict[str, Any],
    secret: dict[int, int],
    contributors: int | None = None,
) -> list[int]:
    """The exact integers in the sum of all contributions, or of so many that were left."""
    count = contributors or len(facts["cohort"])
    if not facts["primes"]:
        plan = ciphertexts.layout(facts["bits"], len(facts["cohort"]))
        return open_ciphertexts(total[0], secret, plan, facts["length"], count)
    shape = numbers.layout(facts["bits"], len(facts["cohort"]), facts["primes"])
    degree, moduli = numbers.RINGS[facts["primes"]]
    key = open_keys(total[0], facts, secret, count)
    transformed_key = [numbers.transformed([k % p for k in key], p) for p in moduli]
    found: list[int] = []
    index = 0
    for (_, kept, _), items in zip(sections(facts)[1:], total[1:], strict=True):
        for item in items:
            noisy = []
            shared = numbers.shared(digest_of(facts), index, facts["primes"])
            for prime, row, a, s in zip(moduli, item, shared, transformed_key, strict=True):
                product = [x * y % prime for x, y in zip(a, s, strict=True)]
                if kept == degree:
                    rest = [(x - y) % prime for x, y in zip(row, product, strict=True)]
                    noisy.append(numbers.coefficients_of(rest, prime))
                else:
                    mask = numbers.coefficients_of(product, prime)[:kept]
                    noisy.append([(x - y) % prime for x, y in zip(row, mask, strict=True)])
            here = min(shape["values"], facts["length"] - len(found))
            found += values_of(noisy, moduli, shape, here, count)
            index += 1
    return found


def values_of(
    noisy: Rows, moduli: list[int], shape: dict[str, int], length: int, contributors: int
) -> list[int]:
    """The sums in one element, from coefficients with their errors modulo each prime."""
    whole, half = math.prod(moduli), 1 << (shape["error_bits"] - 1)
    factors = [whole // p * pow(whole // p, -1, p) for p in moduli]
    top = shape["error_bits"] + shape["fields"] * shape["field_bits"]
    slots = []
    for parts in zip(*noisy, strict=True):
        integer = (sum(r * f for r, f in zip(parts, factors, strict=True)) + half) % whole
        if abs(integer % (2 * half) - half) > 0.75 * half or integer >> top:
            raise ValueError("no complete sum")
        for field in range(shape["fields"]):
            slot = integer >> (shape["error_bits"] + field * shape["field_bits"]) & (
                (1 << shape["field_bits"]) - 1
            )
            slots.append(slot - (contributors << (shape["bits"] - 1)))
    most = contributors * ((1 << (shape["bits"] - 1)) - 1)
    if slots[0] != contributors or any(slots[length + 1 :]) or any(abs(x) > most for x in slots):
        raise ValueError("no complete sum")
    return slots[1 : length + 1]


# The vectors: fixed keys, errors and values.

NAMES = ["A", "B", "C"]
SECRET = {3: 1, 500: -1, 4095: 1}
#: Bits, primes and length: a whole and a cut element, the same across two primes, a cut one across three.
CASES = [(16, 1, 8261), (24, 2, 32777), (12, 3, 70)]


def facts_of(bits: int, primes: int, length: int) -> dict[str, Any]:
    """The facts of a case's round."""
    return {
        "attempt": 1,
        "bits": bits,
        "bound": 100,
        "cohort": NAMES,
        "fields": numbers.layout(bits, len(NAMES), primes)["fields"],
        "format": "securefl-round/3",
        "instances": [ciphertexts.digest(b"run of " + name.encode()) for name in NAMES],
        "kind": "update",
        "length": length,
        "model_sha256": ciphertexts.digest(b"model"),
        "primes": primes,
        "public_key_sha256": ciphertexts.digest(b"public key"),
        "round": 7,
        "study": ciphertexts.digest(b"study"),
    }


def signing_key(name: str) -> bytes:
    """The 32 bytes of a hospital's Ed25519 private key."""
    return bytes([NAMES.index(name) + 65] * 32)


def public_key(name: str) -> bytes:
    """Its public half."""
    return Ed25519PrivateKey.from_private_bytes(signing_key(name)).public_key().public_bytes_raw()


def values_of_hospital(k: int, bits: int, length: int) -> list[int]:
    """Hospital k's integers."""
    most = (1 << (bits - 1)) - 1
    return [(i * i * (k + 3)) % (2 * most + 1) - most for i in range(length)]


def key_of_hospital(k: int, degree: int) -> list[int]:
    """Hospital k's key."""
    return [(i * (k + 2) + i * i) % 19 - 9 for i in range(degree)]


def frames(facts: dict[str, Any]) -> dict[str, bytes]:
    """Every hospital's contribution."""
    degree, _ = numbers.RINGS[facts["primes"]]
    private = {name: bytes([i + 1] * 32) for i, name in enumerate(NAMES)}
    label = b"securefl/secagg/pair-seed/1" + bytes.fromhex(digest_of(facts))
    found = {}
    for k, me in enumerate(NAMES):
        seeds = {
            other: ciphertexts.hkdf(ciphertexts.pair(private[me], private[other]), label)
            for other in NAMES
            if other != me
        }
        key = key_of_hospital(k, degree)
        values = values_of_hospital(k, facts["bits"], facts["length"])
        clear = key_ciphertexts(key, len(NAMES), SECRET, bytes([k + 100] * 32))
        body = [masked(clear, me, seeds), *elements(values, key, facts)]
        found[me] = frame(body, facts, me, signing_key(me))
    return found


def rounds() -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    """Facts and frames of every case."""
    return [(facts, frames(facts)) for facts in (facts_of(*each) for each in CASES)]


def case(facts: dict[str, Any], made: dict[str, bytes]) -> dict[str, Any]:
    """One sum, from frames to integers."""
    bits, length = facts["bits"], facts["length"]
    bodies = [read(data, facts, name, public_key(name)) for name, data in made.items()]
    total = add(bodies, facts)
    opened = open_sum(total, facts, SECRET)
    true = [
        sum(column)
        for column in zip(
            *(values_of_hospital(k, bits, length) for k in range(len(NAMES))), strict=True
        )
    ]
    if opened != true:
        raise ValueError("the reference does not open its own sum")
    return {
        "facts": facts,
        "round_digest": digest_of(facts),
        "shape": [[count, len(moduli), degree] for count, degree, moduli in sections(facts)],
        "frames": {
            name: {"bytes": len(data), "sha256": ciphertexts.digest(data)}
            for name, data in made.items()
        },
        "sum_sha256": [
            ciphertexts.digest(
                b"".join(ciphertexts.bits([x for row in item for x in row], 58) for item in items)
            )
            for items in total
        ],
        "sum_of_keys_first": open_keys(total[0], facts, SECRET, len(NAMES))[:8],
        "opened_first": opened[:8],
        "opened_sha256": ciphertexts.digest(ciphertexts.canonical(opened)),
    }


def vectors(played: list[tuple[dict[str, Any], dict[str, bytes]]]) -> dict[str, Any]:
    """Everything in round-vectors.json."""
    return {
        "format": "securefl-round-vectors/1",
        "secret_key": {str(at): value for at, value in SECRET.items()},
        "signing_keys": {name: signing_key(name).hex() for name in NAMES},
        "agreement_keys": {name: bytes([i + 1] * 32).hex() for i, name in enumerate(NAMES)},
        "values": "(i * i * (k + 3)) mod (2 most + 1) - most",
        "keys": "(i * (k + 2) + i * i) mod 19 - 9",
        "errors": "(i * 5 + element) mod 23 - 11",
        "cases": [case(facts, made) for facts, made in played],
    }


def text(played: list[tuple[dict[str, Any], dict[str, bytes]]]) -> str:
    """The text of round-vectors.json."""
    return json.dumps(vectors(played), indent=1) + "\n"


def write_example(folder: Path) -> None:
    """The first case as files."""
    facts = facts_of(*CASES[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in frames(facts).items():
        (folder / f"{name}.contribution").write_bytes(data)
    told = {
        "facts": facts,
        "signing_public_keys": {name: public_key(name).hex() for name in NAMES},
        "secret_key": {str(at): value for at, value in SECRET.items()},
    }
    (folder / "round.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def open_folder(folder: Path) -> list[int]:
    """Read, add and open what lies in a folder."""
    if not (folder / "round.json").is_file():
        raise SystemExit(
            f"{folder} has no round.json; --example FOLDER writes one with its frames."
        )
    told = json.loads((folder / "round.json").read_bytes())
    facts = told["facts"]
    bodies = [
        read((folder / f"{name}.contribution").read_bytes(), facts, name, bytes.fromhex(public))
        for name, public in told["signing_public_keys"].items()
    ]
    secret = {int(at): value for at, value in told["secret_key"].items()}
    return open_sum(add(bodies, facts), facts, secret)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        (HERE / "round-vectors.json").write_text(text(rounds()), "utf-8")
    elif sys.argv[1] == "--example":
        write_example(Path(sys.argv[2]))
    else:
        sys.stdout.write(json.dumps(open_folder(Path(sys.argv[1]))) + "\n")
