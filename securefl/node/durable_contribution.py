"""Contribution of a hospital on its own disk: written once, durable before it leaves (rule 6).

A piece at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from securefl.errors import RoundError
from securefl.files import private_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.secagg.round_context import RoundContext


#: Folder of the contributions in a study's folder.
FOLDER: Final = "contributions"


@dataclass
class DurableContribution:
    """A contribution that is on disk, in ``file``, and has not left yet."""

    facts: RoundContext
    file: Path
    size: int
    sha256: str
    noted: bool = False
    held: bool = False

    def head(self, size: int) -> bytes:
        """The first ``size`` bytes of its frame."""
        with self.file.open("rb") as kept:
            return kept.read(size)


def keep_contribution(
    study: Path,
    facts: RoundContext,
    write: Callable[[BinaryIO], None],
) -> DurableContribution:
    """Keep what ``write`` writes as the one contribution to that round, ever.

    Args:
        study: the study's folder.
        facts: the facts of the round.
        write: writes the frame; see :class:`securefl.federation.participant.Keeper`.

    Raises:
        RoundError: there is one already; nothing is written.
    """
    private_folder(private_folder(study) / FOLDER)
    file = _file(study, facts)
    if file.exists():
        raise RoundError(
            f"A contribution to round {facts.round} was made before.",
            whose="this hospital",
            next_step="The study ends here; its budget stays charged.",
        )
    write_file(file, write)
    return kept_contribution(study, facts)


def kept_contribution(study: Path, facts: RoundContext) -> DurableContribution:
    """The contribution to that round that is on disk; it has not left as far as is known here."""
    file = _file(study, facts)
    with file.open("rb") as kept:
        sha256 = hashlib.file_digest(kept, "sha256").hexdigest()
    return DurableContribution(facts, file, file.stat().st_size, sha256)


def _file(study: Path, facts: RoundContext) -> Path:
    return study / FOLDER / f"{facts.round:05d}"
