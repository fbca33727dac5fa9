"""Objects of a finished round as evidence.

One that is not there, or does not pass its checks, proves nothing, for whoever can write into the
store may have put it there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from securefl.errors import MessageError, RoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_T = TypeVar("_T")


@dataclass(frozen=True)
class Recomputed:
    """A round's sum that was added again and is the one that the aggregator signed.

    Args:
        parts: hospital → the hash that the transcript names its frame by.
        frames: hospital → SHA-256 of its whole frame.
        sum_sha256: of the aggregator's frame.
        signed_by: survivors who signed the survivor set; empty where there is no such set.
    """

    parts: Mapping[str, str]
    frames: Mapping[str, str]
    sum_sha256: str
    signed_by: tuple[str, ...] = ()


class MissingEvidenceError(RoundError):
    """An object of a round is not there, or not as its author signed it."""


def present(found: _T | None, what: str) -> _T:
    """``found``, if it is there.

    Raises:
        MissingEvidenceError: it is not.
    """
    if found is None:
        raise missing_error(what)
    return found


@contextmanager
def reading(what: str, whose: str) -> Iterator[None]:
    """Around reading an object of ``whose``: one that does not pass its checks may be anybody's."""
    try:
        yield
    except MessageError as error:
        raise missing_error(
            f"{what} of {whose}", f"whoever can write into the store, or {whose}: {error.what}"
        ) from None


def missing_error(
    what: str, whose: str = "whoever can write into the store"
) -> MissingEvidenceError:
    """The error about an object without which a round cannot be verified."""
    return MissingEvidenceError(
        f"The {what} is not in the store: this cannot be verified.",
        whose=whose,
        next_step="If the round is over, ask who removed it; if it is not, wait for its end.",
    )
