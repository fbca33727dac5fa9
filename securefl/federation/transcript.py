"""Transcript of a round for everybody: its facts, who contributed, the hashes of what was added.

Signed by the coordinator. Each names the one before it by its hash, so that none can be left out or
exchanged later. The opened integers are not in it, not even as a hash: for a small model a hash can
be guessed, and the store's operator would know the sum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError
from securefl.secagg.round_context import is_kind, is_sha256
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TRANSCRIPT: Final = "securefl-round-transcript/1"
#: A cohort of 4096 names and as many hashes fit.
MAX_TRANSCRIPT: Final = 1024 * 1024

_HASHES: Final = ("study", "round_digest", "model_sha256", "sum_sha256")


@dataclass(frozen=True)
class Transcript:
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

    study: str
    round: int
    attempt: int
    kind: str
    cohort: tuple[str, ...]
    contributions: Mapping[str, str]
    round_digest: str
    model_sha256: str
    sum_sha256: str
    previous: str

    def dump(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The transcript as it travels."""
        body = {
            **self.__dict__,
            "cohort": list(self.cohort),
            "contributions": dict(self.contributions),
        }
        return dump_signed({"type": TRANSCRIPT, **body}, sign)


def open_transcript(
    data: bytes, *, study: str, round_number: int, verify: Callable[[bytes, bytes], bool]
) -> Transcript:
    """Check and read the coordinator's transcript of a round.

    Raises:
        MessageError: not signed by it, of another study or round, or a malformed field.
    """
    body = open_signed(
        data,
        kind=TRANSCRIPT,
        fields=frozenset(Transcript.__dataclass_fields__),
        verify=verify,
        sender="the coordinator",
        max_bytes=MAX_TRANSCRIPT,
    )
    cohort, parts = body["cohort"], body["contributions"]
    well_formed = (
        type(body["attempt"]) is int
        and is_kind(body["kind"])
        and all(is_sha256(body[name]) for name in _HASHES)
        and (body["previous"] == "" or is_sha256(body["previous"]))
        and isinstance(cohort, list)
        and all(isinstance(name, str) for name in cohort)
        and isinstance(parts, dict)
        and set(parts) <= set(cohort)
        and all(is_sha256(part) for part in parts.values())
    )
    if not well_formed:
        raise _refused("it has a malformed field")
    if body["study"] != study or type(body["round"]) is not int or body["round"] != round_number:
        raise _refused("it belongs to another study or round")
    return Transcript(**{**body, "cohort": tuple(cohort)})


def transcript_sha256(data: bytes) -> str:
    """Hash by which the next transcript names this one."""
    return hashlib.sha256(data).hexdigest()


def _refused(why: str) -> MessageError:
    return MessageError(
        f"A transcript of the coordinator is refused: {why}.",
        whose="the coordinator",
        next_step="Ask the researcher for the round's transcript.",
    )
