"""Survivor sets: the coordinator's proposal of one, and each survivor's signature under it.

A survivor set lists hospitals with the hash of the one frame of each, and is bound to the round
digest. Its hash is what survivors sign. Both travel as signed statements (:mod:`securefl.signed`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError, RoundError
from securefl.secagg.round_context import is_sha256
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.types import Sign, Verify

    VerifyBy = Callable[[str, bytes, bytes], bool]  # name, signature, message

PROPOSAL_TYPE: Final = "securefl-survivors/1"
AGREEMENT_TYPE: Final = "securefl-survivors-agreed/1"
MAX_AGREEMENT_BYTES: Final = 2048

#: {"sender":…,"sha256":…}; a name has at most 64 characters of at most 6 bytes.
_PART_BYTES: Final = 512


@dataclass(frozen=True)
class Survivors:
    """Survivor set: hospital to the hash of its frame, at least ``min_contributors`` of the cohort.

    Raises:
        RoundError: too few, or a stranger among them.
    """

    terms: SurvivorTerms
    frames: Mapping[str, str]

    def __post_init__(self) -> None:
        strangers = set(self.frames) - set(self.terms.cohort)
        if strangers or len(self.frames) < self.terms.min_contributors:
            lost = [name for name in self.terms.cohort if name not in self.frames]
            raise RoundError(
                f"{len(self.frames)} of {len(self.terms.cohort)} hospitals are left, and"
                f" {self.terms.min_contributors} are needed: the round cannot be opened.",
                whose=", ".join(lost) or "the coordinator",
                next_step="Start a new attempt when the missing hospitals are back.",
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The survivors, sorted."""
        return tuple(sorted(self.frames))

    @cached_property
    def lost(self) -> frozenset[str]:
        """The hospitals of the cohort that are not among them."""
        return frozenset(self.terms.cohort) - set(self.frames)

    def lost_neighbours(self, dealer: str) -> tuple[str, ...]:
        """The neighbours of ``dealer`` that are lost, sorted.

        Its pair seeds with them have to be opened.
        """
        return tuple(name for name in self.terms.neighbours.of(dealer) if name in self.lost)

    def parts(self) -> list[dict[str, str]]:
        """Write the set as it travels."""
        return [{"sender": name, "sha256": self.frames[name]} for name in self.names]

    @cached_property
    def sha256(self) -> str:
        """Hash that survivors sign: hex SHA-256 of the canonical JSON of round digest and set."""
        signed = {"round_digest": self.terms.round_digest, "survivors": self.parts()}
        return sha256(canonical(signed)).hexdigest()


def proposal_limit(terms: SurvivorTerms) -> int:
    """The most bytes of a proposal in this round."""
    return MAX_AGREEMENT_BYTES + len(terms.cohort) * _PART_BYTES


def write_proposal(survivors: Survivors, sender: str, sign: Sign) -> bytes:
    """Write and sign the coordinator's proposal."""
    return dump_signed(
        {
            "type": PROPOSAL_TYPE,
            **survivors.terms.announced(sender),
            "survivors": survivors.parts(),
        },
        sign,
    )


def read_proposal(
    data: bytes,
    terms: SurvivorTerms,
    sender: str,
    verify: Verify,
) -> Survivors:
    """Check and read a proposal.

    Raises:
        MessageError: naming the sender and the first check that failed.
        RoundError: too few survivors.
    """
    body = _read(
        data,
        PROPOSAL_TYPE,
        "survivors",
        terms,
        sender=sender,
        verify=verify,
        max_bytes=proposal_limit(terms),
    )
    return Survivors(terms, read_parts(body, terms, sender))


def read_parts(parts: object, terms: SurvivorTerms, sender: str) -> dict[str, str]:
    """Read a list of survivors out of a message of ``sender``.

    Hospitals of the cohort in order, each once, with a hash each.

    Raises:
        MessageError: it is no such list.
    """
    well_formed = isinstance(parts, list) and all(
        isinstance(part, dict) and set(part) == {"sender", "sha256"} and is_sha256(part["sha256"])
        and isinstance(part["sender"], str) and part["sender"] in terms.cohort
        for part in parts
    )  # fmt: skip
    # One way to write a set: its hash is what survivors sign, so a second way would be a second set.
    names = None
    if isinstance(parts, list) and well_formed:
        names = [part["sender"] for part in parts]
    if not isinstance(parts, list) or names is None or names != sorted(set(names)):
        raise refused(sender, "it does not list hospitals of the cohort, each once and in order")
    return {part["sender"]: part["sha256"] for part in parts}


def write_agreement(survivors: Survivors, sender: str, sign: Sign) -> bytes:
    """Write a survivor's signature under the set."""
    return dump_signed(
        {
            "type": AGREEMENT_TYPE,
            **survivors.terms.announced(sender),
            "survivors_sha256": survivors.sha256,
        },
        sign,
    )


def agrees(
    data: bytes,
    survivors: Survivors,
    sender: str,
    verify: Verify,
) -> bool:
    """True if ``data`` is the signature of ``sender`` under exactly this set.

    False for another set of the same round.

    Raises:
        MessageError: it is no such statement of that sender in this round.
    """
    body = _read(
        data,
        AGREEMENT_TYPE,
        "survivors_sha256",
        survivors.terms,
        sender=sender,
        verify=verify,
        max_bytes=MAX_AGREEMENT_BYTES,
    )
    if not is_sha256(body):
        raise refused(sender, "it holds no hash of a survivor set")
    return body == survivors.sha256


def count_agreements(
    statements: Mapping[str, bytes],
    survivors: Survivors,
    verify: VerifyBy,
) -> int:
    """Count the survivors that signed this set, among ``statements`` (name to bytes).

    Others' and unreadable ones do not count.
    """
    count = 0
    for name in survivors.names:
        if name in statements:
            try:
                count += agrees(
                    statements[name],
                    survivors,
                    name,
                    partial(verify, name),
                )
            except MessageError:
                # anybody can write into the store; one false statement must not stop the round
                continue
    return count


def _read(
    data: bytes,
    kind: str,
    what: str,
    terms: SurvivorTerms,
    *,
    sender: str,
    verify: Verify,
    max_bytes: int,
) -> object:
    """Check a signed statement of this round and return its one field of interest."""
    expected = terms.announced(sender)
    body = open_signed(
        data,
        kind=kind,
        fields=frozenset(expected) | {what},
        verify=verify,
        sender=sender,
        max_bytes=max_bytes,
    )
    for name, value in expected.items():
        # Compared as canonical bytes: in Python True == 1.
        if canonical(body[name]) != canonical(value):
            raise refused(sender, f"its {name} is not this round's")
    return body[what]


def refused(sender: str, why: str) -> MessageError:
    """Make the refusal of a statement about survivors, naming its sender."""
    return MessageError(
        f"A statement of {sender} about the survivors is refused: {why}.",
        whose=sender,
        next_step=f"Ask {sender} to send it again, from the same terms of the round.",
    )
