"""Invented cells of a binary label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.binary_label import CombinedLabel, NumberCondition

if TYPE_CHECKING:
    from securefl.study.binary_label import Condition, Label


def mock_label(label: Label, u: float) -> tuple[str, ...]:
    """The cells of a positive label for the upper half of ``u``, of a negative one for the lower; a
    cell for each condition.
    """
    positive = u >= 0.5
    within = 2 * u - 1 if positive else 2 * u
    if not isinstance(label, CombinedLabel):
        return (_condition(label, within, positive=positive),)
    # one condition decides an "any-of" that is positive and an "all-of" that is negative; otherwise
    # all agree
    alone = int(within * len(label.conditions))
    one_decides = positive == (label.kind == "any-of")
    return tuple(
        _condition(
            condition, within, positive=positive == (i == alone) if one_decides else positive
        )
        for i, condition in enumerate(label.conditions)
    )


def _condition(condition: Condition, u: float, *, positive: bool) -> str:
    """A cell that the condition counts as positive or as negative, at ``u`` in [0, 1)."""
    if isinstance(condition, NumberCondition):
        value = float(condition.value)
        upper = positive == (condition.kind in {"at-least", "above"})
        end = float(condition.high if upper else condition.low)
        return f"{value + (end - value) * (1.0 + u) / 2:.10g}"
    texts = condition.positive if positive else condition.negative
    if condition.kind == "any-of-letters":  # signs like "|" stand between letters, not alone
        texts = (texts[0], *(letter for letter in texts[1:] if letter.isalnum()))
    return texts[int(u * len(texts))]
