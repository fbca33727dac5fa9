"""Draft of a study file: every table with its values and reasons, checked before it is handed out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from securefl.designer.by_task import designer_of
from securefl.designer.commented import Entry, Part, commented_toml
from securefl.designer.question import CURVE
from securefl.designer.rules import (
    MOMENTUM,
    ROUNDS,
    TrainingFigures,
    count_noise,
    figure_entry,
    training_figures,
)
from securefl.designer.study_tables import around, privacy_part, study_id
from securefl.designer.without_model import parts_without_model
from securefl.privacy.accounting import PldAccountant
from securefl.study.consistency import check_consistency
from securefl.study.counts import EvaluateSection
from securefl.study.sealed import UnsealedStudy
from securefl.study.stages import kind_of
from securefl.study.study_gaps import unwritten
from securefl.study.training import TrainSection
from securefl.study.wire import planned_patients, wire_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securefl.designer.by_task import Designer
    from securefl.designer.question import Question, Sizes
    from securefl.study.schema import Template

_HEAD: Final = (
    "Made by `securefl study design` from public facts alone. Each figure has its reason above it;"
    " change any by hand and run `securefl study check`. What begins with 'To be written' is yours."
)
#: Widths of a field, from which the least is taken whose rounding does not count.
_WIDTHS: Final = (12, 14, 16, 18, 20, 22, 24)
_MOST_ROUNDING: Final = 0.001


@dataclass(frozen=True)
class Draft:
    """A finished design.

    Attributes:
        question: from which it follows.
        parts: tables of the file.
        study: the file, read and checked.
    """

    question: Question
    parts: tuple[Part, ...]
    study: UnsealedStudy

    @property
    def text(self) -> str:
        """The file's text."""
        return self.study.text.decode()

    @property
    def counts_only(self) -> bool:
        """True if sizes were left out, so that the file asks for them first."""
        return self.question.sizes is None and self.question.kind != CURVE

    @property
    def draws_curves(self) -> bool:
        """True if its one stage draws survival curves."""
        return self.study.study.stages[0].kind == CURVE

    def reasons(self) -> list[tuple[str, str, str]]:
        """Table, ``key = value`` and reason of each figure that has one."""
        return [
            (part.header, f"{entry.key} = {entry.value}", entry.why)
            for part in self.parts
            for entry in part.entries
            if _is_figure(part, entry)
        ]

    def open_points(self) -> list[str]:
        """Keys that only people can fill in."""
        return unwritten(self.study.study)


def _is_figure(part: Part, entry: Entry) -> bool:
    """True if an entry was chosen by a rule, and fits on a line."""
    return bool(entry.why) and part.header != "[study]" and not isinstance(entry.value, list)


def draft(question: Question, today: datetime) -> Draft:
    """Design the study, or the one that comes before it where sizes are not known.

    Args:
        question: with its answers.
        today: from which the study may run, for a year.

    Raises:
        UsageError: too few patients, or a task without rules.
        StudyError: an answer that no study file can hold, like a name of a column.
    """
    sizes = question.sizes
    if sizes is None or not question.makes_model:
        return _checked(question, parts_without_model(question, today))
    return _checked(question, _training(question, sizes, today))


def _checked(question: Question, parts: Sequence[Part]) -> Draft:
    """Read the file as anybody would, and refuse to hand out one that contradicts itself."""
    for key, words in question.words.items():
        parts = _with(parts, key, Entry(key, words))
    text = commented_toml(_HEAD, parts)
    study = UnsealedStudy.read(text)
    check_consistency(
        study.study,
        PldAccountant(),
        text,
    )
    return Draft(
        question,
        tuple(parts),
        study,
    )


def _training(question: Question, sizes: Sizes, today: datetime) -> list[Part]:
    designer = designer_of(question)
    figures = training_figures(
        question,
        sizes,
        designer.most_rate,
        designer.noise_in_weight,
    )
    checked = count_noise(question.epsilon, Decimal(figures.delta.value))
    middle = [
        privacy_part(figures.epsilon.value, checked[1], figures.delta),
        _train(designer, figures),
        _model(question, sizes, designer),
        _check(question, sizes, designer, checked),
    ]
    parts = around(
        question,
        designer,
        middle,
        today,
        figures.reply_after,
    )
    parts = _with(parts, "bits", _bits(parts))
    bands = designer.bands(_read(parts), question.hospitals)
    if bands is not None:
        parts = _with(parts, bands.key, bands)
    return _with(parts, "minimum", designer.minimum(_read(parts), question.hospitals))


def _read(parts: Sequence[Part]) -> Template:
    """The study that these tables make so far."""
    return UnsealedStudy.read(commented_toml("", parts)).study


def _train(designer: Designer, figures: TrainingFigures) -> Part:
    """Stage that trains."""
    return Part(
        "[[stages]]",
        (
            Entry("kind", kind_of(TrainSection)),
            Entry(
                "strategy",
                "fedavg",
                "One noised step a round, then a step along their mean.",
            ),
            Entry(
                "rounds",
                ROUNDS,
                designer.rounds_why,
            ),
            Entry("local_steps", 1),
            Entry("local_learning_rate", "1"),
            figure_entry("server_learning_rate", figures.rate),
            Entry(
                "server_momentum",
                str(MOMENTUM),
                "The server's velocity averages the noise of about three rounds.",
            ),
            figure_entry("epsilon", figures.epsilon),
            figure_entry("noise_multiplier", figures.noise),
            Entry(
                "clip_norm",
                designer.clip,
                designer.clip_why,
            ),
            figure_entry("sample_rate", figures.sample_rate),
            Entry(
                "steps",
                ROUNDS,
                "Rounds times local steps.",
            ),
            Entry("normaliser", figures.normaliser.value),
            Entry("normaliser_source", figures.normaliser.why),
            Entry(
                "bits",
                24,
                "",
            ),
        ),
        "Training. Patients who train and patients kept aside are others, so each side may spend the"
        " whole epsilon.",
    )


def _model(question: Question, sizes: Sizes, designer: Designer) -> Part:
    return Part(
        "[stages.model]",
        (
            Entry(
                "kind",
                designer.model,
                designer.model_why,
            ),
            *designer.model_keys(sizes),
            Entry("initial_seed", f"{study_id(question)} 1"),
        ),
    )


def _check(
    question: Question,
    sizes: Sizes,
    designer: Designer,
    checked: tuple[Decimal, str],
) -> Part:
    """Stage that judges, with its noise and the epsilon to claim for it."""
    noise, claimed = checked
    return Part(
        "[[stages]]",
        (
            Entry("kind", kind_of(EvaluateSection)),
            *designer.judged(sizes),
            Entry(
                "noise_multiplier",
                str(noise),
                f"The least, in hundredths and at least 2, that costs at most epsilon"
                f" {question.epsilon}.",
            ),
            Entry("epsilon", claimed),
            designer.bound(sizes),
        ),
        "Check on the patients kept aside.",
    )


def _with(parts: Sequence[Part], key: str, entry: Entry) -> list[Part]:
    """The parts with one entry replaced."""
    found = []
    for part in parts:
        entries = [entry if one.key == key else one for one in part.entries]
        found.append(replace(part, entries=tuple(entries)))
    return found


def _bits(parts: Sequence[Part]) -> Entry:
    """The narrowest fields whose rounding does not count beside the noise."""
    study = _read(parts)
    patients = max(1, round(planned_patients(study)))
    fits = [
        bits
        for bits in _WIDTHS
        if wire_of(
            study,
            bits,
            patients,
        ).added_variance
        <= _MOST_ROUNDING
    ]
    return Entry(
        "bits",
        min(fits, default=_WIDTHS[-1]),
        "The narrowest fields in which rounding adds at most a thousandth to the noise's variance."
        f" Their bound is left out: it follows from hospitals' weights, about {patients:,} clip"
        " norms.",
    )
