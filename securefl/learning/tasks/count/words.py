"""Label of a count in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.meanings import codes_words

if TYPE_CHECKING:
    from securefl.study.count_label import CountLabel


def label_words(label: CountLabel) -> str:
    """Say which count it is, and what sets a row aside.

    "the count visits, from 0 to 30; a row with more is set aside, ...".
    """
    unit = f" of {label.unit}" if label.unit else ""
    outside = "a row with more is set aside"
    if label.outside == "clip":
        outside = f"more count as {label.largest}"
    fit = "a row with a number below 0 or not whole is set aside"
    start = f"the model begins at {label.typical:f}"
    codes = codes_words(label.missing_codes)
    parts = (outside, fit, codes, start)
    return (
        f"the count {label.column}{unit}, from 0 to {label.largest};"
        f" {'; '.join(part for part in parts if part)}"
    )
