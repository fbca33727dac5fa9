"""Transcript of a round for everybody: its facts, who contributed, the hashes of what was added.

Signed by the coordinator. Each names the one before it by its hash, so that none can be left out or
exchanged later. The opened integers are not in it, not even as a hash: for a small model a hash can
be guessed, and the store's operator would know the sum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from securefl.federation.messages import Kind
from securefl.statement import Hex32, Positive, Statement

#: A cohort of 4096 names and as many hashes fit.
MAX_TRANSCRIPT: Final = 1024 * 1024


@dataclass(frozen=True)
class Transcript(Statement):
    """One round as the coordinator says that it went.

    Args:
        study: the study's digest.
        round: number of the round.
        attempt: number of the attempt.
        kind: of release.
        cohort: who could contribute, sorted.
        contributions: who did, to the SHA-256 of the frame that was added.
        round_digest: what masks and messages of the round are bound to; it covers key, packing,
            bound and model.
        model_sha256: the global model that the round started from.
        sum_sha256: the aggregator's frame.
        previous: SHA-256 of the transcript before, ``""`` in the first.
    """

    TYPE: ClassVar[str] = "securefl-round-transcript/1"
    WHAT: ClassVar[str] = "A transcript"
    SENDER: ClassVar[str] = "the coordinator"
    MAX_BYTES: ClassVar[int] = MAX_TRANSCRIPT
    NEXT_STEP: ClassVar[str] = "Ask the researcher for the round's transcript."

    study: Hex32
    round: Positive
    attempt: int
    kind: Kind
    cohort: tuple[str, ...]
    contributions: dict[str, Hex32]
    round_digest: Hex32
    model_sha256: Hex32
    sum_sha256: Hex32
    previous: Hex32 | Literal[""]

    def contradiction(self) -> str:
        """See :meth:`Statement.contradiction`."""
        if set(self.contributions) <= set(self.cohort):
            return ""
        return "malformed: contributions"


def transcript_sha256(data: bytes) -> str:
    """Hash by which the next transcript names this one."""
    return hashlib.sha256(data).hexdigest()
