"""Context of one round: the facts that every hospital must have been told alike.

Masks are bound to them, and cancel only where they are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from securefl.errors import StudyError
from securefl.registry import NAME
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.layouts import cipher_layout_of
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.sections import ciphertext_section
from securefl.signed import canonical

if TYPE_CHECKING:
    from securefl.secagg.group_draw import Groups
    from securefl.secagg.packing import FieldLayout
    from securefl.secagg.sections import Section

MAX_NAME: Final = 64
MAX_COUNTER: Final = 1_000_000
MAX_LENGTH: Final = 1 << 30

_HEX = re.compile(r"[0-9a-f]{64}\Z")


def is_sha256(text: object) -> bool:
    """True for a lower-case hex SHA-256."""
    return isinstance(text, str) and _HEX.match(text) is not None


#: The one attempt at each round. Digests, frames and paths name it, so that a second could come.
ATTEMPT: Final = 1


def is_kind(word: object) -> bool:
    """True if ``word`` can be the kind of a release; which kinds there are, the study says."""
    return isinstance(word, str) and NAME.fullmatch(word) is not None


@dataclass(frozen=True)
class RoundContext:
    """Facts that a mask is bound to: two parties with different ones hold masks that do not cancel.

    Args:
        study: digest of the study, hex SHA-256.
        round: number of the round, from 1 (0 for one before training).
        attempt: number of the attempt at this round, from 1.
        kind: of the release that is summed: a word (:func:`is_kind`).
        cohort: names of the contributing hospitals, sorted by code point, each once.
        instances: for each of them, in that order, the nonce of the run of its agent that may
            answer (32 bytes in hex): two processes of one hospital never mask alike.
        public_key_sha256: :attr:`PublicKey.sha256` of this round's CKKS key.
        layout: the packing of the numbers: in the ciphertexts themselves, or in elements under keys
            that add up, whose keys the ciphertexts then hold. Its ``contributors`` is the size of
            the cohort.
        length: d, how many integers each hospital sends.
        bound: the largest value before noise that is planned for: a count, or steps of the wire.
        model_sha256: SHA-256 of the global model that the round starts from.
        groups: disjoint groups, each summed by itself (:mod:`securefl.secagg.group_contexts`); none
            where the whole cohort is one sum. With groups the cohort is all of them, or one.

    Raises:
        StudyError: facts that contradict each other.
    """

    study: str
    round: int
    attempt: int
    kind: str
    cohort: tuple[str, ...]
    instances: tuple[str, ...]
    public_key_sha256: str
    layout: FieldLayout | NumberLayout
    length: int
    bound: int
    model_sha256: str
    groups: Groups = ()

    def __post_init__(self) -> None:
        self._check_hex()
        if not 0 <= self.round <= MAX_COUNTER or not 1 <= self.attempt <= MAX_COUNTER:
            raise _contradiction(f"round {self.round}, attempt {self.attempt} is no such round")
        if not is_kind(self.kind):
            raise _contradiction(
                f"kind is {self.kind!r}, no word of lower-case letters and hyphens"
            )
        if list(self.cohort) != sorted(set(self.cohort)):
            raise _contradiction("the cohort is not sorted, or names a hospital twice")
        if not all(0 < len(name) <= MAX_NAME and name.isprintable() for name in self.cohort):
            raise _contradiction("a hospital's name is empty, too long or not printable")
        if len(self.cohort) != self.layout.contributors:
            raise _contradiction(
                f"{len(self.cohort)} hospitals, but a layout for {self.layout.contributors}"
            )
        if not 1 <= self.length <= MAX_LENGTH:
            raise _contradiction(f"{self.length} values cannot be summed")
        if not 0 < self.bound <= self.layout.max_value:
            raise _contradiction(f"bound {self.bound} does not fit in {self.layout.bits} bits")
        self._check_groups()

    def _check_groups(self) -> None:
        """Check that groups are disjoint, in order, and make the cohort or are one of them."""
        if not self.groups:
            return
        everybody = sorted(name for group in self.groups for name in group)
        if len(everybody) != len(set(everybody)):
            raise _contradiction("a hospital is in two groups")
        in_order = list(self.groups) == sorted(tuple(sorted(group)) for group in self.groups)
        if not in_order or not all(self.groups):
            raise _contradiction("groups or their hospitals are not in order, or a group is empty")
        if list(self.cohort) != everybody and self.cohort not in self.groups:
            raise _contradiction("the groups do not make the cohort")

    def _check_hex(self) -> None:
        """Check digests and nonces: each is 32 bytes in lower-case hex."""
        for name in ("study", "public_key_sha256", "model_sha256"):
            if not is_sha256(getattr(self, name)):
                raise _contradiction(f"{name} is no lower-case hex SHA-256")
        well_formed = all(is_sha256(nonce) for nonce in self.instances)
        if len(self.instances) != len(self.cohort) or not well_formed:
            raise _contradiction("not every hospital has one nonce of 32 bytes in hex")

    @property
    def numbers(self) -> NumberLayout | None:
        """Packing under keys that add up; None where the ciphertexts hold the numbers."""
        if isinstance(self.layout, NumberLayout):
            return self.layout
        return None

    @cached_property
    def cipher_layout(self) -> FieldLayout:
        """Packing of what the ciphertexts hold: the numbers, or one key's coefficients."""
        return cipher_layout_of(self.layout)

    @property
    def encrypted_length(self) -> int:
        """Integers in the ciphertexts: the numbers themselves, or one key's coefficients."""
        if self.numbers is None:
            return self.length
        return self.numbers.ring.degree

    @property
    def chunks(self) -> int:
        """Ciphertexts in one contribution."""
        return self.cipher_layout.chunks_for(self.encrypted_length)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Sections of a contribution's body and of the sum's: ciphertexts, then elements."""
        ciphertexts = ciphertext_section(self.chunks, self.cipher_layout.ring)
        if self.numbers is None:
            return (ciphertexts,)
        return (ciphertexts, *self.numbers.sections(self.length))

    def as_json(self) -> dict[str, object]:
        """Write the facts as the dictionary that is hashed; its keys are the wire format's."""
        facts: dict[str, object] = {
            "attempt": self.attempt,
            "bits": self.layout.bits,
            "bound": self.bound,
            "cohort": list(self.cohort),
            "fields": self.layout.fields,
            "format": "securefl-round/3",
            "instances": list(self.instances),
            "kind": self.kind,
            "length": self.length,
            "model_sha256": self.model_sha256,
            "primes": 0 if self.numbers is None else self.numbers.primes,
            "public_key_sha256": self.public_key_sha256,
            "round": self.round,
            "study": self.study,
        }
        degree = self.cipher_layout.degree
        if degree != LARGE_RING.degree:
            facts["degree"] = degree
        if self.groups:
            facts["groups"] = [list(group) for group in self.groups]
        return facts

    def digest(self) -> str:
        """Round digest: hex SHA-256 of the canonical JSON (RFC 8785) of :meth:`as_json`."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        """The digest, worked out once: every look for a frame asks for it."""
        return sha256(canonical(self.as_json())).hexdigest()


def _contradiction(what: str) -> StudyError:
    """Make the error of facts that contradict each other."""
    return StudyError(
        f"The facts of the round contradict each other: {what}.",
        whose="the researcher who runs the round",
        next_step="Announce the round again with consistent facts.",
    )
