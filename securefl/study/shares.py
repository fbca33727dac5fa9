"""Weights of the hospitals: public shares of the normaliser that add up to exactly 1."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: A ratio of whole numbers or a decimal, as a study file writes it.
_SHARE = re.compile(r"[0-9]{1,18}(/[0-9]{1,18}|\.[0-9]{1,18})?")
EQUAL_SOURCE = "equal shares"


def read_weights(given: Iterable[str]) -> dict[str, str]:
    """Weights as typed, ``NAME=SHARE`` each: hospital to its share.

    >>> read_weights(["Nord=2/3", "Sued=1/3"])
    {'Nord': '2/3', 'Sued': '1/3'}

    Raises:
        UsageError: one of them is not of that form, or a hospital comes twice.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, share = one.partition("=")
        if not (name and equals) or name in found:
            why = "is not of the form NAME=SHARE"
            if name in found:
                why = "names a hospital twice"
            raise UsageError(f"--weight {one} {why}.", next_step="For example: --weight Nord=1/3")
        found[name] = share
    return found


def shares(
    hospitals: Sequence[str],
    weights: Mapping[str, str] | None,
    source: str | None,
) -> dict[str, tuple[str, str]]:
    """Each hospital's weight and where that comes from; equal weights where none are given.

    Args:
        hospitals: the participants.
        weights: hospital to share, as text; for all of them or for none.
        source: the published figures that the weights follow. Row counts of the private tables must
            not be.

    Raises:
        UsageError: a hospital is missing or unknown, a share is not above 0, they do not add up to
            exactly 1, or no source is named.
    """
    if not weights:
        if source not in {None, EQUAL_SOURCE}:
            raise UsageError(
                "A source of weights is named, and no weights are.",
                next_step="Give --weight NAME=SHARE for each hospital.",
            )
        return {name: (f"1/{len(hospitals)}", EQUAL_SOURCE) for name in hospitals}
    strangers = ", ".join(sorted(set(weights) - set(hospitals)))
    missing = ", ".join(name for name in hospitals if name not in weights)
    if strangers or missing:
        what = (
            f"Weights are given for {strangers}, not in this study."
            if strangers
            else f"No weight is given for {missing}."
        )
        raise UsageError(
            what,
            next_step="Give one for each hospital of the study, or none: then all weigh the same.",
        )
    numbers = {name: _number(name, text) for name, text in weights.items()}
    total = sum(numbers.values(), Fraction(0))
    if total != 1:
        listed = " + ".join(str(numbers[name]) for name in hospitals)
        raise UsageError(
            f"The weights add up to {listed} = {total}, not to 1.",
            next_step=f"Take each times {1 / total}: {_mended(hospitals, numbers, total)}.",
        )
    if not source or source == EQUAL_SOURCE:
        raise UsageError(
            "Weights need their source: published figures, not the rows of the tables.",
            next_step='Add --weight-source "..." (weight_source=... in Python).',
        )
    return {name: (str(numbers[name]), source) for name in hospitals}


def _number(name: str, text: str) -> Fraction:
    number = Fraction(0)
    if _SHARE.fullmatch(text) and not re.fullmatch(r"\d+/0+", text):
        number = Fraction(text)
    if number <= 0:
        raise UsageError(
            f"'{text}' is no weight for {name}: a share above 0, like 1/5.",
            next_step=f"For example: --weight {name}=1/5",
        )
    return number


def _mended(
    hospitals: Sequence[str],
    numbers: Mapping[str, Fraction],
    total: Fraction,
) -> str:
    return " ".join(f"--weight {name}={numbers[name] / total}" for name in hospitals)
