"""The whole report of a completed study: one page that a reader can keep, print and check."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.learning.tasks import task_of
from securefl.privacy.explain import explain_epsilon
from securefl.report.audit import extract_page
from securefl.report.explain_study import worst_epsilon
from securefl.report.model_standing import notices_section
from securefl.report.page import (
    Code,
    Outside,
    Page,
    Paragraph,
    Quoted,
    Section,
    Span,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.run import extracts_page, lost_words
from securefl.report.shown_model import changed_curves, edits_section
from securefl.report.told import told_quality, told_section, told_table
from securefl.report.whole_report_pictures import effects_picture, interval_picture, lengths_picture
from securefl.report.words import bytes_words, decimal_words, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from securefl.learning.artefact import Model
    from securefl.learning.effects import Effect
    from securefl.learning.tasks.told import Told
    from securefl.learning.update_lengths import UpdateLength
    from securefl.report.model_standing import Standing
    from securefl.report.page import Block, Value
    from securefl.study.schema import Study

#: Effects that are drawn and listed.
_MOST_EFFECTS = 25


@dataclass(frozen=True)
class ModelCheck:
    """The check of the model, read again off its released histogram.

    Attributes:
        told: in words.
        low: lower end of the interval of the metric.
        high: upper end.
        least: lowest value of the metric.
    """

    told: Told
    low: float
    high: float
    least: float


@dataclass(frozen=True)
class WholeReport:
    """Everything that the report tells.

    Attributes:
        study: the sealed study.
        digest: its digest.
        result: as the run kept it, with the extracts that came.
        rounds: the coordinator's record of each round, as JSON values.
        lengths: of the training's mean updates; none where nothing was trained.
        effects: of a linear model's columns; none of another.
        judged: None where no model was made.
        tables: what stages found that make no model.
        contributions: of the model's columns, where it can be read.
        edited: models that were made of it by hand, beside it.
        standing: of the model; None where it is not kept here.
    """

    study: Study
    digest: str
    result: Mapping[str, Any]
    rounds: Sequence[Mapping[str, Any]]
    lengths: Sequence[UpdateLength] = ()
    effects: Sequence[Effect] = ()
    judged: ModelCheck | None = None
    tables: Sequence[Told] = ()
    contributions: Told | None = None
    edited: Sequence[Model] = ()
    standing: Standing | None = None


def whole_report_page(found: WholeReport) -> Page:
    """The page of ``securefl study report NAME --html FILE``."""
    return page(
        ("Report of ", Outside(found.study.study.title)),
        _asked(found),
        _parties(found),
        notices_section(found.standing),
        _model(found),
        *map(told_section, found.tables),
        _learning(found),
        _effects(found),
        _contributions(found),
        *_edited(found),
        _privacy(found),
        _left(found),
        _hashes(found),
    )


def _contributions(found: WholeReport) -> Section | None:
    """What each column adds to a score."""
    if found.contributions is None:
        return None
    return told_section(found.contributions)


def _edited(found: WholeReport) -> Iterator[Section | None]:
    """Each model that was edited by hand: its edits, and old and new curves."""
    for model in found.edited:
        yield edits_section(model)
        yield section("Curves before and after", *changed_curves(model))


def _asked(found: WholeReport) -> Section:
    about = found.study.study
    return section(
        "What was asked",
        Quoted(about.purpose),
        facts(
            [
                ("study", Code(found.result["study"])),
                ("digest", Code(found.digest)),
                when(found.study.continues, ("continues", Code(found.study.continues or ""))),
                ("led by", Outside(about.lead)),
                ("ethics", Outside(about.ethics_ref)),
                ("legal basis", Outside(about.legal_basis)),
                ("columns", ", ".join(column.name for column in found.study.data.columns)),
            ]
        ),
    )


def _parties(found: WholeReport) -> Section:
    study = found.study
    lost = found.result.get("lost") or {}
    rows = tuple(
        (
            party.name,
            f"{party.weight.numerator}/{party.weight.denominator}",
            f"lost: {lost[party.name]}" if party.name in lost else "to the end",
            Outside(party.legal_name),
        )
        for party in study.participants
    )
    others = [
        ("coordinator", Outside(f"{study.coordinator.name}, {study.coordinator.legal_name}")),
        ("aggregator", Outside(f"{study.aggregator.name}, {study.aggregator.legal_name}")),
    ]
    return section(
        "Who took part",
        Table(("hospital", "weight", "took part", "institution"), rows),
        facts(others),
        when(lost, lost_words(lost)),
    )


def _model(found: WholeReport) -> Section | None:
    judged = found.judged
    result = found.result
    rows: list[tuple[str, Value]] = [(label, text) for label, text in result.get("found", ())]
    if judged is None:
        return section("What was found", facts(rows))
    told = judged.told
    rows = [(told.metric, Span(told.headline, Tone.STRONG)), *told.rows, *rows]
    minimum = None
    if quality := result.get("quality"):
        minimum = float(quality["minimum"])
        rows.append(("asked for", told_quality(quality)))
    meaning: list[Block | str] = list(told.sentences)
    if told.header:
        meaning.append(told_table(told))
    return section(
        "How well the model does",
        facts(rows),
        interval_picture(
            told.metric,
            (judged.low, judged.high),
            judged.least,
            minimum,
        ),
        Paragraph(
            "Read off one encrypted, noised total of all hospitals, of patients who did not train"
            " the model. The interval is of 95 %, noise and sampling together.",
            Tone.QUIET,
        ),
        *meaning,
    )


def _learning(found: WholeReport) -> Section | None:
    if not found.lengths:
        return None
    above = sum(one.above_noise for one in found.lengths)
    return section(
        "How it learnt",
        lengths_picture(found.lengths),
        f"In {above} of {plural(len(found.lengths), 'round')} the mean update was longer than noise"
        " alone would be. Where it is not, the model has settled, or noise hides what is left.",
    )


def _effects(found: WholeReport) -> Section | None:
    if not found.effects:
        return None
    shown = found.effects[:_MOST_EFFECTS]
    ratio = task_of(found.study.data).ratio
    heads: tuple[str, ...] = ("what changes", "change of the score", "95 % over noise")
    if ratio:
        heads = (*heads, f"{ratio} times", "95 % over noise")
    rows = tuple(_effect_row(effect, ratio=bool(ratio)) for effect in shown)
    notes = [
        (
            "Intervals count the noise of privacy alone: no sampling of patients, no shrinking by clipped"
            " gradients or few rounds. An effect whose interval holds 0 cannot be told from noise."
        ),
        "Effects stand beside those of all other columns and say nothing of causes.",
    ]
    return section(
        "What the model rests on",
        effects_picture(shown),
        Table(heads, rows, frozenset(range(1, len(heads)))),
        bullets(notes),
    )


def _effect_row(effect: Effect, *, ratio: bool) -> tuple[str, ...]:
    size = f"{effect.size:+.2f}"
    interval = f"{effect.low:+.2f} to {effect.high:+.2f}"
    if not ratio:
        return (effect.name, size, interval)
    times, low, high = (f"{math.exp(end):.3g}" for end in (effect.size, effect.low, effect.high))
    return (effect.name, size, interval, times, f"{low} to {high}")


def _privacy(found: WholeReport) -> Section:
    study = found.study
    epsilon = worst_epsilon(study)
    rows = [
        ("for one patient", f"epsilon {decimal_words(epsilon)} at delta {study.privacy.delta}"),
        ("noise", f"{study.privacy.noise}, added inside each hospital before anything leaves"),
    ]
    return section(
        "What it cost patients' privacy",
        facts(rows),
        explain_epsilon(epsilon, study.privacy.delta),
        *extracts_page(found.result["extracts"], study.cohort).blocks,
    )


def _left(found: WholeReport) -> Section | None:
    """Each hospital's own extract."""
    parts = []
    for extract in found.result["extracts"].values():
        whole = extract_page(extract)
        parts.append(section(whole.title, *whole.blocks))
    return section("What left each hospital", *parts)


def _hashes(found: WholeReport) -> Section | None:
    if not found.rounds:
        return None
    rows = tuple(
        (
            str(one["round"]),
            str(one["kind"]),
            bytes_words(int(one["upload_bytes"])),
            Code(str(one["sum_sha256"])),
        )
        for one in found.rounds
    )
    table = Table(
        ("round", "release", "sent by each", "SHA-256 of the sum"), rows, frozenset({0, 2})
    )
    note = (
        "`securefl study verify ROUND` adds a round again from what the hospitals signed and compares"
        " its sum."
    )
    return section("By what it can be checked", note, table)
