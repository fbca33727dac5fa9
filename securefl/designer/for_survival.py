"""Rules for a time to an event: hazards of public intervals, judged by the order of risks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.by_task import Designer
from securefl.designer.commented import Entry
from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from securefl.designer.question import Sizes
    from securefl.study.schema import Template

_BINS: Final = 8
#: Reasons of keys that a label brings.
_WHY: Final = {
    "event_name": "As every page calls the event: a noun in the singular is read best.",
    "edges": (
        "Public times at which survival is told; an event counts in the interval between two. Few"
        " intervals have little noise, and in none should many be lost from sight."
    ),
    "longest": "A longer time, or one below 0, sets its row aside.",
}


class SurvivalDesigner(Designer):
    """A time to an event, by discrete-time hazards and the C-index."""

    model = "regression"
    model_why = (
        "One score a patient beside the published curve: few weights, and each of them carries the"
        " noise."
    )
    clip = "1"
    clip_why = (
        "What all intervals of a patient teach together: usual patients are shorter, and one who"
        " had the event against all odds is shortened."
    )
    most_rate = 0.3
    noise_in_weight = 0.1

    def shares_due(self, label: Mapping[str, Any]) -> int:
        """The share without the event at each time, where the label does not say it."""
        if label.get("survival"):
            return 0
        return len(label["edges"])

    def shares_words(self, label: Mapping[str, Any]) -> str:
        """See the base class."""
        due = self.shares_due(label)
        if not due:
            return "none: the label has its curve"
        return f"{due}, the share without the event at each time"

    def check_shares(self, shares: tuple[Decimal, ...]) -> None:
        """See the base class: a curve falls."""
        if any(after >= before for before, after in pairwise(shares)):
            raise UsageError(
                "The shares without the event do not fall from time to time.",
                next_step="Give the share without it at each time of the label, in their order.",
            )

    def label(self, label: Mapping[str, Any], sizes: Sizes | None) -> list[Entry]:
        """The label's table, with the published curve where a model begins."""
        entries = [Entry(key, value, _WHY.get(key, "")) for key, value in label.items()]
        if sizes is None or not sizes.shares or label.get("survival"):
            return entries
        curve = [format(share, "f") for share in sizes.shares]
        why = (
            "The published share without the event at each time. The model begins there and learns"
            " how a patient's odds differ from it, so no interval needs a weight of its own."
        )
        return [*entries, Entry("survival", curve, why), Entry("survival_source", sizes.source)]

    def judged(self, sizes: Sizes) -> list[Entry]:
        """See the base class."""
        del sizes
        return [
            Entry("metric", "c-index"),
            Entry(
                "bins",
                _BINS,
                "Few: each band of the risk has a number for each interval, and each number carries"
                " noise.",
            ),
        ]

    def minimum(self, study: Template, hospitals: int) -> Entry:
        """See the base class."""
        del study, hospitals
        return Entry(
            "minimum",
            "0.5",
            "Better than a guess at who has the event first. Ask for more where you need more.",
        )
