"""Refusal of a study file of version 1, with the mend: which lines become what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.errors import StudyError
from securefl.study.faults import at, listed
from securefl.study.lines import line_index

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL: Final = "securefl-protocol/1"
STUDY: Final = "securefl-study/1"
_TO_TRAINING: Final = "moves into the stage that trains"
#: Place in a file of version 1 → what becomes of it. Written in the order of the new file.
_MENDS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("schema",), 'write "securefl-protocol/2"'),
    (("preparation",), 'becomes [[stages]] with kind = "count"'),
    (("training",), 'becomes [[stages]] with kind = "train"'),
    (("training", "algorithm"), "is called strategy"),
    (("privacy", "epsilon"), _TO_TRAINING),
    (("privacy", "noise_multiplier"), _TO_TRAINING),
    (("privacy", "clip_norm"), _TO_TRAINING),
    (("privacy", "sample_rate"), _TO_TRAINING),
    (("privacy", "steps"), _TO_TRAINING),
    (("privacy", "normaliser"), _TO_TRAINING),
    (("privacy", "normaliser_source"), _TO_TRAINING),
    (("secagg", "bits"), _TO_TRAINING),
    (("secagg", "bound"), _TO_TRAINING),
    (("model",), "becomes [stages.model], below the stage that trains"),
    (("evaluation",), 'becomes [[stages]] with kind = "evaluate"'),
)


def refuse(raw: Mapping[str, Any], text: str) -> StudyError:
    """The error for a file of version 1.

    Args:
        raw: what it says.
        text: the file.
    """
    if raw.get("schema") == STUDY:
        return StudyError(
            "The file is a sealed study of version 1, which this version of securefl does not run.",
            whose="the researcher",
            next_step="Make the study again, from a protocol of version 2.",
        )
    lines = line_index(text)
    mends = [f"{at(place, lines)}: {mend}" for place, mend in _MENDS if place in lines]
    return StudyError(
        "The file is of version 1. In version 2 a study lists its stages, in order:\n"
        + listed(mends)
        + "\n",
        next_step="Mend the lines named above and run `securefl study check` again.",
    )
