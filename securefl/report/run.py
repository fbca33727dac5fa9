"""The researcher's screen: a line for every round, the outcome, and the comparison that only a
demonstration can make.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from securefl.learning.stages.programme import Programme
from securefl.learning.tasks.binary.words import auc_words
from securefl.report.audit_words import nouns
from securefl.report.page import (
    Page,
    Paragraph,
    Quoted,
    Section,
    Span,
    Table,
    Tone,
    Words,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.told import quality_text, told_section, told_table
from securefl.report.words import bytes_words, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.tasks.told import Told
    from securefl.report.page import Value
    from securefl.study.schema import Study, Verdict

DEMO_HEADING = "Only a demonstration can show this, because the table is public"


class SiteRow(Protocol):
    """Hospital's row of the comparison.

    AUCs on the union of all held-out rows, NaN where there is none.
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


def round_line(
    which: str,
    *,
    hospitals: int,
    upload_bytes: int,
    values: int,
    lost: Sequence[str] = (),
    figure: str = "",
) -> str:
    """The line of a round: the one sum that the coordinator received.

    Args:
        which: the round in words.
        hospitals: how many contributed.
        upload_bytes: size of one hospital's contribution.
        values: integers in the opened sum.
        lost: hospitals that were in the sum before and are not in this one.
        figure: read off the sum, where it is a look at the training.

    >>> round_line("round 7 of 40", hospitals=5, upload_bytes=59_900, values=31)
    'round 7 of 40: received one sum of 5 hospitals: 31 integers, 59.9 kB each'
    """
    gone = ""
    if lost:
        verb = plural(len(lost), "is", "are").partition(" ")[2]
        gone = f"; {', '.join(lost)} {verb} lost from here on"
    seen = ""
    if figure:
        seen = f"; {figure}"
    return (
        f"{which}: received one sum of {plural(hospitals, 'hospital')}:"
        f" {plural(values, 'integer')}, {bytes_words(upload_bytes)} each{seen}{gone}"
    )


class Round(Protocol):
    """A round as the coordinator keeps it, as far as losses show in it."""

    @property
    def round(self) -> int:
        """Its number, from 1."""

    @property
    def contributions(self) -> Mapping[str, str]:
        """Contributors to its sum."""


def lost_hospitals(study: Study, records: Sequence[Round]) -> dict[str, str]:
    """Each hospital that was lost → the first round without it, in words, and since when it is back.

    Args:
        study: a completed study.
        records: all its rounds, in order.
    """
    programme = Programme(study)
    found = {}
    for site in study.cohort:
        without = [record for record in records if site not in record.contributions]
        if not without:
            continue
        lost = without[0]
        found[site] = programme.at(lost.round).words
        later = [r for r in records if r.round > lost.round and site in r.contributions]
        if later:
            found[site] += f", back in {programme.at(later[0].round).words}"
    return found


def extracts_page(extracts: Mapping[str, Mapping[str, Any]], expected: Sequence[str]) -> Page:
    """The page of hospitals' own ledgers on this study, a line each; the whole extract is in the
    report.

    Args:
        extracts: hospital to :func:`securefl.privacy.audit.extract`, signed by that hospital.
        expected: the hospitals that took part; one without an extract is named.
    """
    rows = Table(
        ("hospital", "study there", "what left", "epsilon charged"),
        tuple(_extract_row(site, extracts.get(site)) for site in expected),
        right=frozenset({3}),
    )
    return page("", section("What each hospital's own ledger says of this study", rows))


def _extract_row(site: str, found: Mapping[str, Any] | None) -> tuple[Words, ...]:
    if found is None:
        return (site, Span("has not come yet", Tone.WARN), "–", "–")
    return (
        site,
        str(found["study"]["status"]),
        _what_left(found["releases"]),
        f"{float(found['epsilon']):.4g}",
    )


def _what_left(releases: Sequence[Mapping[str, Any]]) -> str:
    """Releases of each kind, in the order in which they left."""
    kinds = Counter(str(release["kind"]) for release in releases)
    return ", ".join(plural(count, *nouns(kind)) for kind, count in kinds.items()) or "nothing"


@dataclass(frozen=True)
class ModelOutcome:
    """The model of a finished study, as its page tells of it.

    Args:
        told: the task's figures in words.
        folder: the model's folder; empty where the quality rule withholds it.
        quality: how the study's quality rule was judged.
        minimum: the lowest figure that the study accepts; None where it asks for none.
        by_hospital: whether each hospital's own noised figures were shown.
        each: the lowest figure that the study accepts of any hospital.
    """

    told: Told
    folder: str
    quality: Verdict
    minimum: Decimal | None
    by_hospital: bool = False
    each: Decimal | None = None


def outcome_page(
    *,
    study_title: str,
    model: ModelOutcome | None,
    found: Sequence[tuple[str, str]] = (),
    tables: Sequence[Told] = (),
    lost: Mapping[str, str] | None = None,
) -> Page:
    """The page of a finished study: what was read off the noised totals that were released.

    Args:
        study_title: the study's title.
        model: its model; None where it makes none.
        found: label and text of what other stages found.
        tables: what other stages found, where it is more than that.
        lost: from :func:`lost_hospitals`.
    """
    rows: list[tuple[str, Value] | None] = [*found, when(lost, ("lost", lost_words(lost or {})))]
    heading = "What was found"
    if model is not None:
        heading = "How well the model does"
        told = model.told
        if model.minimum is not None:
            rows = [("asked for", quality_text(model.quality, model.minimum, model.each)), *rows]
        rows = [(told.metric, Span(told.headline, Tone.STRONG)), *told.rows, *rows]
    figures = section(
        heading,
        facts(rows),
        Paragraph(_seen(by_hospital=model is not None and model.by_hospital), Tone.QUIET),
    )
    more = map(told_section, tables)
    if model is None:
        return page("The study is over", Quoted(study_title), figures, *more)
    if not model.folder:
        withheld = "It is withheld, as the study's quality rule says, and given to nobody."
        return page(
            "The study is over",
            Quoted(study_title),
            figures,
            _meaning(model.told),
            *more,
            section("The model", withheld),
        )
    use = f"securefl predict {model.folder} rows.csv --json scores.json"
    return page(
        "The study is over",
        Quoted(study_title),
        figures,
        _meaning(model.told),
        *more,
        section("The model", facts([("folder", model.folder), ("to use it", use)])),
    )


def _seen(*, by_hospital: bool) -> str:
    """Sentence on what was seen of single hospitals."""
    total = "These figures were read off one encrypted, noised total of all hospitals."
    if by_hospital:
        return f"{total} Each hospital's own figures stand below, with its own full noise."
    return f"{total} No hospital's own figure was seen."


def _meaning(told: Told) -> Section | None:
    """Reading of a prediction; None where the task says nothing of it."""
    if not told.sentences:
        return None
    table = []
    if told.header:
        table = [told_table(told)]
    note = [Paragraph(told.note, Tone.QUIET)] if told.note else []
    return section(told.heading, *told.sentences, *table, *note)


def lost_words(lost: Mapping[str, str]) -> str:
    """Hospitals that were lost, with the first round without each.

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


def demo_table(
    rows: Sequence[SiteRow],
    overall_exact: float,
    overall_noised: float | None,
    interval: tuple[float, float],
) -> Page:
    """The comparison of a demonstration: each hospital's gain or loss by taking part.

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
    within = "NOT within"
    if low <= overall_exact <= high:
        within = "within"
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
    if math.isnan(gain):
        return gain
    return round(round(row.auc_federated, 3) - round(row.auc_alone, 3), 3) + 0.0


def _auc(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.3f}"
