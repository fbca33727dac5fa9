"""Answers of a study's hospitals to its request, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.codes import code_words
from securefl.report.page import Page, Table, page, when
from securefl.report.terms import without_pysyft_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def approvals_page(
    study: str,
    states: Mapping[str, str],
    causes: Mapping[str, tuple[str, str]],
    without_pysyft: Sequence[str] = (),
) -> Page:
    """Make the page of a study's approvals.

    Args:
        study: its name, of letters that need no quoting.
        states: hospital to ``waiting``, ``approved``, or the code with which it ended its part.
        causes: hospital to whose end it followed, and with which code.
        without_pysyft: names of hospitals that signed that they have no PySyft datasite.
    """
    rows = tuple((site, answer_words(code, causes.get(site))) for site, code in states.items())
    return page(
        f"Approvals of {study}",
        Table(("hospital", "answer"), rows),
        when(without_pysyft, without_pysyft_sentence(without_pysyft)),
    )


def answer_words(code: str, cause: tuple[str, str] | None) -> str:
    """Words of one hospital's answer.

    Args:
        code: as signed.
        cause: the hospital that ended first, and its code; None where this one did, or none has.
    """
    if cause is None:
        return code_words(code)
    first, its = cause
    return f"ended its part, since {first} {code_words(its)}"
