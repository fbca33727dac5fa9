"""A round that lost hospitals, read and opened from the pages beside this file: seeds restored from shares, masks taken off, the sum of the survivors.

    python reference_losses.py FOLDER     reads FOLDER/round.json, *.contribution and *.answer, and prints the survivors' sum

Slow, and without any code of securefl: the formats of README.md, survivors.md and numbers.md.
``round.json`` holds what only a test may know, the coordinator's secret key.
"""  # noqa: INP001 - a script beside its format page, not a package

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import reference as ciphertexts  # noqa: E402 - the folder comes first
import reference_round as whole  # noqa: E402

PRIME = 65521
#: Bytes of a share: 18 numbers of 16 bits.
SHARE = 36


class Head:
    """A contribution whose frame and dealing were checked: its body, its hash, its commitments."""

    def __init__(self, data: bytes, facts: dict[str, Any], sender: str, public: bytes) -> None:
        """Read a frame; ValueError or InvalidSignature where anything is not as the page says."""
        end = whole.end_of_manifest(data)
        head = {**whole.head_of(facts, sender), "type": "securefl-contribution/2"}
        dealing, *hashes = whole.signed_hashes(data[12:end], head, public)
        seeds = len(facts["cohort"])
        size = seeds * 32 + seeds * seeds * 16 + seeds * (48 + SHARE * seeds)
        self.dealing = data[end : end + size]
        if ciphertexts.digest(self.dealing) != dealing:
            raise ValueError("a dealing that was not signed")
        self.sender = sender
        self.facts = facts
        self.sha256 = ciphertexts.digest(data[:end])
        self.body = whole.body_of(data, end + size, hashes, facts)

    def seed_number(self, other: str) -> int:
        """The place of a seed in the dealing: 0 the self mask's, then those of pairs by name."""
        if other == self.sender:
            return 0
        return 1 + [name for name in self.facts["cohort"] if name != self.sender].index(other)

    def check_share(self, share: bytes, holder: str, number: int) -> None:
        """Compare a share with what its dealer committed to; ValueError, in the holder's name."""
        seeds = len(self.facts["cohort"])
        at = seeds * 32 + 16 * (self.facts["cohort"].index(holder) * seeds + number)
        text = b"securefl/secagg/share-commitment/1" + bytes.fromhex(whole.digest_of(self.facts))
        text += ciphertexts.canonical([self.sender, holder]) + number.to_bytes(4, "big") + share
        if sha256(text).digest()[:16] != self.dealing[at : at + 16]:
            raise ValueError(f"{holder} answers with a share that it was not dealt")

    def check_seed(self, seed: bytes, number: int) -> None:
        """Compare a restored seed with the commitment; ValueError, in the dealer's name."""
        text = b"securefl/secagg/seed-commitment/1" + bytes.fromhex(whole.digest_of(self.facts))
        if sha256(text + seed).digest() != self.dealing[32 * number : 32 * (number + 1)]:
            raise ValueError(f"{self.sender} dealt shares of another seed")


def restored(shares: dict[int, bytes], threshold: int) -> bytes:
    """The seed behind shares by the holder's place, from the first ``threshold`` of them."""
    if len(shares) < threshold:
        raise ValueError("too few shares")
    places = sorted(shares)[:threshold]
    whole_seed = 0
    for limb in range(18):
        value = 0
        for place in places:
            share = int.from_bytes(shares[place][2 * limb : 2 * limb + 2], "little")
            for other in places:
                if other != place:  # Lagrange's polynomial of this place, at 0
                    share = share * (other + 1) * pow(other - place, -1, PRIME) % PRIME
            value = (value + share) % PRIME
        whole_seed |= value << (15 * limb)
    return whole_seed.to_bytes(34, "little")[:32]


def survivors_sha256(heads: dict[str, Head]) -> str:
    """The hash by which survivors agree on their set."""
    facts = next(iter(heads.values())).facts
    parts = [{"sender": name, "sha256": heads[name].sha256} for name in sorted(heads)]
    return ciphertexts.digest(
        ciphertexts.canonical({"round_digest": whole.digest_of(facts), "survivors": parts})
    )


def seeds_of(heads: dict[str, Head], facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The seeds that an answer holds shares of, in its order: ``(survivor, of it or a lost one)``."""
    lost = [name for name in facts["cohort"] if name not in heads]
    return [(name, other) for name in sorted(heads) for other in (name, *lost)]


def read_answer(
    data: bytes, heads: dict[str, Head], sender: str, public: bytes
) -> dict[tuple[str, str], bytes]:
    """The shares of an answer in which nothing is missing, each checked."""
    facts = heads[sender].facts
    end = whole.end_of_manifest(data)
    head = {
        "type": "securefl-unmasking/1",
        "sender": sender,
        "round_digest": whole.digest_of(facts),
        "survivors_sha256": survivors_sha256(heads),
        "without": [],
        **{name: facts[name] for name in ("study", "round", "attempt", "kind")},
    }
    (signed,) = whole.signed_hashes(data[12:end], head, public)
    chunk, wanted = data[end:], seeds_of(heads, facts)
    if ciphertexts.digest(chunk) != signed or len(chunk) != SHARE * len(wanted):
        raise ValueError("shares that were not signed")
    found = {}
    for index, (dealer, other) in enumerate(wanted):
        share = chunk[SHARE * index : SHARE * (index + 1)]
        heads[dealer].check_share(share, sender, heads[dealer].seed_number(other))
        found[dealer, other] = share
    return found


def unmasked(heads: dict[str, Head], answers: dict[str, dict[tuple[str, str], bytes]]) -> Any:  # noqa: ANN401 - sections of rows
    """The survivors' sum without masks: self masks, and those with whoever is lost."""
    facts = next(iter(heads.values())).facts
    total = whole.add([heads[name].body for name in sorted(heads)], facts)
    for dealer, other in seeds_of(heads, facts):
        shares = {facts["cohort"].index(n): each[dealer, other] for n, each in answers.items()}
        seed = restored(shares, facts["share_threshold"])
        heads[dealer].check_seed(seed, heads[dealer].seed_number(other))
        label = b"self-mask-key" if other == dealer else b"chunk-key"
        sign = -1 if other == dealer or dealer < other else 1  # what was added is taken off
        for index, (c0, c1) in enumerate(total[0]):
            info = b"securefl/secagg/" + label + b"/1" + index.to_bytes(4, "big")
            key = ciphertexts.hkdf(seed, info)
            mask = ciphertexts.residues(key, ciphertexts.N, ciphertexts.Q)
            row = [(x + sign * m) % ciphertexts.Q for x, m in zip(c0, mask, strict=True)]
            total[0][index] = [row, c1]
    return total


def open_survivors(
    contributions: dict[str, bytes],
    answers: dict[str, bytes],
    facts: dict[str, Any],
    publics: dict[str, bytes],
    secret: dict[int, int],
) -> list[int]:
    """The exact integers in the sum of all whose contributions are given."""
    heads = {name: Head(data, facts, name, publics[name]) for name, data in contributions.items()}
    said = {n: read_answer(data, heads, n, publics[n]) for n, data in answers.items()}
    return whole.open_sum(unmasked(heads, said), facts, secret, len(heads))


def open_folder(folder: Path) -> list[int]:
    """Read, add and open what lies in a folder."""
    told = json.loads((folder / "round.json").read_bytes())
    publics = {name: bytes.fromhex(key) for name, key in told["signing_public_keys"].items()}
    contributions, answers = (
        {path.stem: path.read_bytes() for path in sorted(folder.glob(f"*.{kind}"))}
        for kind in ("contribution", "answer")
    )
    secret = {int(at): value for at, value in told["secret_key"].items()}
    return open_survivors(contributions, answers, told["facts"], publics, secret)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps(open_folder(Path(sys.argv[1]))) + "\n")
