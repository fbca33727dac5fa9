"""Explanations on the audit's page: the checks of the ledger, and a glossary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.page import Code, Glossary, Section, bullets, section
from securefl.report.words import plural

if TYPE_CHECKING:
    from securefl.privacy.audit import AuditReport


def how_checked(report: AuditReport, checkpoint: int | None) -> Section:
    """The checks of this ledger, and the command that repeats them.

    Args:
        report: of the ledger.
        checkpoint: how many events the checkpoint knows that it was compared with, or None.
    """
    return section(
        "How this was checked",
        None
        if report.verified
        else "Each event was checked so, up to the first one that does not hold:",
        bullets((*_CHECKS, compared_sentence(checkpoint))),
        (
            "To repeat it: ",
            Code("securefl audit"),
            " in the hospital's folder, with ",
            Code("--checkpoint FILE"),
            " and a checkpoint from another party.",
            _EXIT_CODES,
        ),
        _NOT_SHOWN,
    )


def compared_sentence(checkpoint: int | None) -> str:
    """The checkpoint that the ledger's end was compared with, or the risk without one."""
    if checkpoint is None:
        return (
            "It was not compared with a checkpoint. An end that was cut off, or a whole ledger"
            " written anew with the hospital's own key, shows only against one that others hold."
        )
    return (
        "It was compared with a checkpoint that another party holds, of"
        f" {plural(checkpoint, 'event')}."
    )


def glossary() -> Section:
    """The glossary."""
    return Section("What the words mean", (Glossary(_WORDS),), role="meaning")


_EXIT_CODES: Final = (
    " It ends with exit code 0 for an intact ledger, 3 for an altered one, 4 for one that cannot be"
    " read."
)
_NOT_SHOWN: Final = (
    "What a ledger cannot show: it lists what this software noted before it sent it. Whether other"
    " ways out of the hospital exist is not its subject."
)
_CHECKS: Final = (
    "Each event has a number, without gaps, and the hash of the event before it.",
    (
        "Each event's text has exactly the hash that was signed, and the signature is by this"
        " hospital's key: the one on its card, or one that it was changed from or to with both"
        " keys' signatures."
    ),
    (
        "Replayed from the first event on, each one keeps the rules: no charge above the budget, no"
        " release that was not approved, started and paid for, none twice for a round, none after"
        " the end or during a pause."
    ),
)
_WORDS: Final = (
    (
        "Budget",
        (
            "How much all studies together may reveal about any one patient of a population."
            " Set by the data owner."
        ),
    ),
    (
        "Share of the budget",
        (
            "What a study can reveal at most, measured so that shares of several studies may be"
            " added. Used shares are rounded up."
        ),
    ),
    (
        "Epsilon and delta",
        (
            "The measure of privacy: how much surer anybody can become whether one patient's"
            " record was used, but for a chance of delta. Smaller is more private. Epsilons of"
            " several studies may not simply be added or subtracted."
        ),
    ),
    (
        "Release",
        (
            "A set of numbers that left the hospital: a model update, a check of the model or a"
            " statistic. Random noise was added to each before it left; it was encrypted as"
            " well."
        ),
    ),
    (
        "Unmasking answer",
        (
            "What a hospital gives once in a round so that the sum of all hospitals can be"
            " opened: keys of that round, nothing about patients."
        ),
    ),
    (
        "Noise multiplier",
        (
            "The noise's standard deviation, as a multiple of the most that one patient can"
            " change the numbers."
        ),
    ),
    (
        "Patients in a step",
        ("The chance with which each patient takes part in a step, drawn anew by lot every time."),
    ),
    (
        "Digest",
        (
            "The SHA-256 of a study: its file, its code and the software's version. Any change"
            " makes another digest and needs another approval."
        ),
    ),
    (
        "PLD, RDP",
        (
            "Two ways to add up privacy cost: privacy loss distributions (tight, for figures"
            " fixed beforehand) and Rényi divergence (valid also when later studies depend on"
            " earlier results; this one enforces the budget)."
        ),
    ),
)
