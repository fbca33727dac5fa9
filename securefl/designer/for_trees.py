"""Rules for a yes or no by boosted trees whose questions a public lot draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from securefl.designer.by_task import BinaryDesigner
from securefl.designer.commented import Entry

if TYPE_CHECKING:
    from securefl.designer.question import Sizes

_TREES: Final = 100
_DEPTH: Final = 3


class TreesDesigner(BinaryDesigner):
    """A yes or no, by boosted trees and the area under the curve."""

    model = "boosted-trees"
    model_why = (
        "For what straight lines miss: both ends of a laboratory value, steps. A public lot draws"
        " the questions before anybody looks at data, so only the leaves carry noise."
    )
    rounds_why = "Each adds to every leaf of all trees at once; more would each carry more noise."
    clip = "5"
    clip_why = (
        f"A patient's gradient is its slope, at most 1, in one leaf of each of {_TREES} trees: as"
        f" long as 10. Half of that shortens only those about whom the model is wrong."
    )
    most_rate = 1.2
    noise_in_weight = 0.2

    def model_keys(self, sizes: Sizes) -> list[Entry]:
        """Size of the trees, and the score where all patients start."""
        (share,) = sizes.shares
        odds = math.log(float(share) / (1 - float(share)))
        return [
            Entry(
                "trees",
                _TREES,
                "The noise on a score grows with the trees as what they say does, so more cost"
                " bytes alone.",
            ),
            Entry("depth", _DEPTH, "Questions a tree: eight leaves, each with enough patients."),
            Entry(
                "columns_per_tree",
                1,
                "A curve of steps for each column. Leaves that ask of two columns hold fewer"
                " patients, and the noise on each is the same.",
            ),
            Entry(
                "base_score",
                f"{odds:.1f}",
                f"The logarithm of published odds: {share} of the patients.",
            ),
        ]
