"""What the researcher sees: a line for every round, the outcome, and what only a demonstration can
compare.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from securefl.report.evaluation import (
    auc_words,
    calibration_table,
    calibration_words,
    quality_text,
    ranking_words,
    right_or_wrong,
)
from securefl.report.page import (
    Page,
    Paragraph,
    Quoted,
    Span,
    Table,
    Tone,
    Words,
    bullets,
    facts,
    page,
    section,
)
from securefl.report.words import bytes_words, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.preparation import Counted
    from securefl.learning.tasks.binary.evaluation import Evaluation
    from securefl.study.schema import Verdict

DEMO_HEADING = "Only a demonstration can show this, because the table is public"


class SiteRow(Protocol):
    """One hospital of the comparison; AUCs on the union of all held-out rows, NaN where there is
    none.
    """

    @property
    def site(self) -> str:
        """Its name."""

    @property
    def positives(self) -> int:
        """Positives among the rows it trains on."""

    @property
    def auc_alone(self) -> float:
        """Trained alone, without privacy."""

    @property
    def auc_alone_private(self) -> float:
        """Trained alone, at the study's epsilon."""

    @property
    def auc_federated(self) -> float:
        """The common model."""


_OTHER_ROUNDS = {"evaluation": "evaluation", "preparation": "count of patients"}


def round_line(  # noqa: PLR0917 - the study's own word
    round: int,  # noqa: A002 - the study's own word
    rounds: int,
    kind: str,
    hospitals: int,
    upload_bytes: int,
    values: int,
    lost: Sequence[str] = (),
) -> str:
    """What the coordinator received in a round: one sum.

    Args:
        round: which training round it is, from 1; of no meaning for the other kinds.
        rounds: training rounds of the study.
        kind: of release.
        hospitals: how many contributed.
        upload_bytes: size of one hospital's contribution.
        values: integers in the opened sum.
        lost: hospitals that were in the sum before and are not in this one.

    >>> round_line(round=7, rounds=40, kind="update", hospitals=5, upload_bytes=59_900, values=31)
    'round 7 of 40: received one sum of 5 hospitals: 31 integers, 59.9 kB each'
    """
    gone = (
        f"; {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} lost from here on" if lost else ""
    )
    return (
        f"{_which(round, rounds, kind)}: received one sum of {plural(hospitals, 'hospital')}:"
        f" {plural(values, 'integer')}, {bytes_words(upload_bytes)} each{gone}"
    )


def _which(number: int, rounds: int, kind: str) -> str:
    return _OTHER_ROUNDS.get(kind, f"round {number} of {rounds}")


class Round(Protocol):
    """What the coordinator keeps of a round, as far as losses show in it."""

    @property
    def round(self) -> int:
        """Its number, from 1, the count before training included."""

    @property
    def kind(self) -> str:
        """``preparation``, ``update`` or ``evaluation``."""

    @property
    def contributions(self) -> Mapping[str, str]:
        """Who is in its sum."""


def lost_hospitals(records: Sequence[Round], cohort: Sequence[str]) -> dict[str, str]:
    """Each hospital that was lost → the first round without it, in words; nobody comes back.

    Args:
        records: all rounds of a completed study, in order.
        cohort: its hospitals.
    """
    before, rounds = (sum(r.kind == kind for r in records) for kind in ("preparation", "update"))
    first = {
        site: next((r for r in records if site not in r.contributions), None) for site in cohort
    }
    return {
        site: _which(r.round - before, rounds, r.kind) for site, r in first.items() if r is not None
    }


def extracts_page(extracts: Mapping[str, Mapping[str, Any]], expected: Sequence[str]) -> Page:
    """What each hospital's own ledger says of this study, a line a hospital; the whole extract is
    in the report.

    Args:
        extracts: hospital to :func:`securefl.privacy.audit.extract`, signed by that hospital.
        expected: the hospitals that took part; one without an extract is named.
    """
    rows = Table(
        ("hospital", "study there", "updates that left", "others", "epsilon charged"),
        tuple(_extract_row(site, extracts.get(site)) for site in expected),
        right=frozenset({2, 3, 4}),
    )
    return page("", section("What each hospital's own ledger says of this study", rows))


def _extract_row(site: str, found: Mapping[str, Any] | None) -> tuple[Words, ...]:
    if found is None:
        return (site, Span("has not come yet", Tone.WARN), "–", "–", "–")
    kinds = [str(r["kind"]) for r in found["releases"]]
    return (
        site,
        str(found["study"]["status"]),
        str(kinds.count("update")),
        str(len(kinds) - kinds.count("update")),
        f"{float(found['epsilon']):.4g}",
    )


def outcome_page(
    evaluation: Evaluation,
    *,
    model_dir: str,
    study_title: str,
    quality: Verdict,
    quality_minimum: Decimal,
    trained_on: Counted | None = None,
    units: str = "patients",
    lost: Mapping[str, str] | None = None,
) -> Page:
    """How well the model does, from the one noised histogram that was released.

    Args:
        evaluation: from :func:`securefl.learning.tasks.binary.evaluation.evaluate`.
        model_dir: the model's folder.
        study_title: the study's title.
        quality: how the study's quality rule was judged
            (:func:`securefl.learning.tasks.binary.evaluation.judge`).
        quality_minimum: the lowest AUC that the study accepts.
        trained_on: the count before training, where the study had one.
        lost: from :func:`lost_hospitals`.
        units: what it counted (:func:`securefl.report.explain_study.units`).
    """
    e = evaluation
    return page(
        "The study is over",
        Quoted(study_title),
        section(
            "How well the model does",
            facts(
                [
                    ("AUC", Span(auc_words(e.low, e.high, e.auc), Tone.STRONG)),
                    ("in words", ranking_words(e.low, e.high)) if e.known else None,
                    ("asked for", quality_text(quality, quality_minimum)),
                    ("right or wrong", right_or_wrong(e)),
                    None if trained_on is None else ("trained on", _counted(trained_on, units)),
                    (
                        "checked on",
                        (
                            f"about {e.negatives + e.positives:,.0f} patients kept aside, about"
                            f" {e.positives:,.0f} of them positive"
                        ),
                    ),
                    ("lost", lost_words(lost)) if lost else None,
                ]
            ),
            Paragraph(
                "These figures were read off one encrypted, noised total of all hospitals. No"
                " hospital's own figure was seen.",
                Tone.QUIET,
            ),
        ),
        section(
            "Does a score mean what it says?",
            calibration_words(e.calibrated),
            calibration_table(e.calibration),
            Paragraph(
                "Shares as 95 % intervals. Neighbouring bands were read together until the noise"
                " left something to say.",
                Tone.QUIET,
            ),
        ),
        section(
            "The model",
            facts(
                [
                    ("folder", model_dir),
                    ("to use it", f"securefl predict {model_dir} rows.csv --json scores.json"),
                ]
            ),
        ),
    )


def lost_words(lost: Mapping[str, str]) -> str:
    """Who was lost and from which round on.

    >>> lost_words({"SVI": "round 5 of 8"})
    'SVI, from round 5 of 8 on: not in the sums from there on, nor in the check of the model'
    """
    return (
        "; ".join(
            f"{site}, from {'the ' if 'round' not in first else ''}{first} on"
            for site, first in lost.items()
        )
        + ": not in the sums from there on, nor in the check of the model"
    )


def _counted(found: Counted, units: str) -> str:
    return (
        f"about {max(found.patients, 0):,} {units}, {found.words}; the noise on each count is"
        f" {found.noise_sd:.0f} (standard deviation)"
    )


def demo_table(
    rows: Sequence[SiteRow],
    overall_exact: float,
    overall_noised: float | None,
    interval: tuple[float, float],
) -> Page:
    """What each hospital gains by taking part, or loses.

    Args:
        rows: one for each hospital.
        overall_exact: AUC of the common model on the union of held-out rows, without noise.
        overall_noised: the AUC that was released; None where it could not be told from chance.
        interval: its 95 % interval.
    """
    made = Table(
        ("hospital", "positives", "alone", "alone, private", "federated", "gain"),
        tuple(map(_demo_row, rows)),
        right=frozenset({1, 2, 3, 4}),
    )
    low, high = interval
    within = "within" if low <= overall_exact <= high else "NOT within"
    return page(
        "",
        section(
            DEMO_HEADING,
            made,
            bullets(
                [
                    *(
                        f"{row.site} loses by joining: alone and without privacy it reaches"
                        f" {_auc(row.auc_alone)}, federated {_auc(row.auc_federated)}."
                        for row in rows
                        if _gain(row) < 0
                    ),
                    (
                        "AUC on the held-out rows of all hospitals together. Alone: trained on its"
                        " own rows without privacy; alone, private: at the study's epsilon. Gain:"
                        " federated, against alone. Positives: among the rows each trains on."
                    ),
                    (
                        f"Overall {_auc(overall_exact)} exactly; released with noise:"
                        f" {auc_words(low, high, overall_noised)}. The exact figure lies {within}"
                        " the interval."
                    ),
                ]
            ),
        ),
    )


def _demo_row(row: SiteRow) -> tuple[Words, ...]:
    return (
        row.site,
        f"{row.positives:,}",
        _auc(row.auc_alone),
        _auc(row.auc_alone_private),
        Span(_auc(row.auc_federated), Tone.STRONG),
        _gain_words(_gain(row)),
    )


def _gain_words(gain: float) -> Span:
    if math.isnan(gain):
        return Span("–")
    if gain < 0:
        return Span(f"{gain:+.3f}  loses", Tone.BAD)
    return Span(f"{gain:+.3f}", Tone.GOOD)


def _gain(row: SiteRow) -> float:
    # as the table shows it: no "-0.000", and a loss in words exactly where the figure is below 0
    gain = row.auc_federated - row.auc_alone
    return (
        gain
        if math.isnan(gain)
        else round(round(row.auc_federated, 3) - round(row.auc_alone, 3), 3) + 0.0
    )


def _auc(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
