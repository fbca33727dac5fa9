"""Identifiers of patients as the table spells them: the unit of privacy is one spelling.

Other spellings are other patients. Nothing is merged here: "007" and "7" may be two people. The
owner is told what would fall together, and decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from securefl.learning.table import spelled_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.learning.table import Cell

_SCIENTIFIC: Final = re.compile(r"[0-9](?:[.,][0-9]+)?[eE][+-]?[0-9]{1,3}")
_WHOLE: Final = re.compile(r"0*([0-9]+?)(?:[.,]0+)?")
_SHOWN: Final = 3
_LONGEST: Final = 40


def told_apart(patients: Iterable[Cell], column: str) -> list[str]:
    """Warn about identifiers spelled in several ways, or rounded by a spreadsheet.

    Empty where all is well.

    Args:
        patients: the identifier of each row.
        column: its column's name.
    """
    rows = Counter(patient for patient in patients if patient is not None)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for patient in rows:
        groups[_plainly(patient)].append(patient)
    several = [sorted(spellings) for spellings in groups.values() if len(spellings) > 1]
    warnings = []
    if several:
        surplus = sum(len(spellings) - 1 for spellings in several)
        shown = "; ".join(_shown(spellings) for spellings in sorted(several)[:_SHOWN])
        warnings.append(
            f"{column}: {surplus:,} of {len(rows):,} identifiers differ from another one only in"
            f" case, blanks, invisible characters, leading zeros or '.0' ({shown}). Each spelling"
            " counts as a patient of its own. If they are one person, that person is counted and"
            " released several times: spell each identifier in one way and register the table"
            " again"
        )
    rounded = sorted(patient for patient in rows if _SCIENTIFIC.fullmatch(patient))
    if rounded:
        warnings.append(
            f"{column}: {sum(rows[patient] for patient in rounded):,} rows have an identifier in"
            f" scientific notation ({_shown(rounded)}). A spreadsheet has rounded longer numbers:"
            " different patients may have become one. Export the identifiers again as text"
        )
    return warnings


def _plainly(patient: str) -> str:
    """Strip an identifier of case, blanks, invisible characters, leading zeros, a zero fraction."""
    composed = unicodedata.normalize("NFKC", patient).casefold()
    bare = "".join(sign for sign in composed if unicodedata.category(sign)[0] not in "CZ")
    number = _WHOLE.fullmatch(bare)
    if number:
        return number[1]
    return bare


def _shown(spellings: list[str]) -> str:
    words = [f"'{spelled_out(text[:_LONGEST])}'" for text in spellings[:_SHOWN]]
    if len(spellings) > _SHOWN:
        words.append("...")
    return ", ".join(words)
