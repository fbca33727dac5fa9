"""Page of a personal model: which model is kept, why, how it was made, and what it may be used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.learning.personal.methods import METHODS
from securefl.report.page import (
    Code,
    Page,
    Paragraph,
    Quoted,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.personal_picture import ChangeRow, change_picture

if TYPE_CHECKING:
    from securefl.learning.personal.facts import (
        Candidate,
        Compared,
        Interval,
        Judged,
        PersonalFacts,
    )
    from securefl.learning.personal.facts import Rows as Counted
    from securefl.report.page import Section

#: With fewer held-out patients of one outcome the page warns.
FEW: Final = 10
NAMES: Final[dict[Compared, str]] = {
    "global": "the study's model",
    "personal": "the personal model",
    "local": "your own rows alone",
}


@dataclass(frozen=True)
class PersonalAbout:
    """Facts of the page beside the comparison.

    Attributes:
        title: of the study.
        name: of the study, for commands.
        site: the hospital's name.
        folder: where the personal model lies.
        home: the hospital's folder.
        intended_use: of the study's model.
        units: what is counted, "patients" or "rows".
        changed: the table is another than when the study was approved.
    """

    title: str
    name: str
    site: str
    folder: str
    home: str
    intended_use: str
    units: str
    changed: bool


def personal_page(found: PersonalFacts, about: PersonalAbout) -> Page:
    """The page of ``securefl site personalize``."""
    return page(
        f"A personal model of {about.site}: {about.title}",
        section(
            "Which model is kept",
            verdict(found, about.units),
            when(about.changed, Paragraph(CHANGED, Tone.WARN)),
            few_words(found, about.units),
        ),
        _comparison(found, about.units),
        _making(found, about.units),
        _use(found, about),
    )


CHANGED: Final = (
    "The table is not the one of the study's approval: rows were added, changed or taken away since."
    " Patients who were kept aside then still are."
)


def verdict(found: PersonalFacts, units: str) -> Paragraph:
    """Which model is kept and why, in a sentence."""
    personal = found.models["personal"]
    change = change_words(personal.change)
    unseen = f"on {units} that neither model learnt from"
    if not found.chosen.method:
        words = f"Nothing that was tried did better on your own training {units}."
        return Paragraph(f"The study's model. {words}")
    if personal.harms:
        words = f"Personalising HARMS here: {unseen}, the personal model is worse ({change})."
        return Paragraph(f"The study's model. {words}", Tone.BAD)
    if found.kept == "global":
        words = f"The personal one does no better {unseen} ({change})."
        return Paragraph(f"The study's model. {words}", Tone.WARN)
    if personal.helps:
        words = f"It is better {unseen} ({change})."
        return Paragraph(f"The personal model. {words}", Tone.GOOD)
    words = (
        f"It did better {unseen} ({change}), but the interval holds 0: others may say otherwise."
    )
    return Paragraph(f"The personal model. {words}", Tone.WARN)


def few_words(found: PersonalFacts, units: str) -> Paragraph | None:
    """A warning where an outcome is rare among the held-out rows."""
    rare = {name: count for name, count in found.held_out.strata.items() if count < FEW}
    if not rare:
        return None
    listed = ", ".join(f"{count:,} '{name}'" for name, count in rare.items())
    return Paragraph(
        f"Among the {found.held_out.count:,} {units} kept aside there are only {listed}: too few to"
        " rely on these figures.",
        Tone.WARN,
    )


def change_words(change: Interval) -> str:
    """A change of the loss with its interval.

    >>> from securefl.learning.personal.facts import Interval
    >>> change_words(Interval(value=-0.05, low=-0.09, high=-0.01))
    'loss -0.050, 95 % interval -0.090 to -0.010'
    """
    if change.value is None or change.low is None or change.high is None:
        return "loss not known well enough for an interval"
    return f"loss {change.value:+.3f}, 95 % interval {change.low:+.3f} to {change.high:+.3f}"


def _comparison(found: PersonalFacts, units: str) -> Section:
    rows = tuple(
        (NAMES[name], _figure(one.figure), f"{one.loss:.3f}", _change(name, one))
        for name, one in found.models.items()
    )
    shown = [
        ChangeRow(NAMES[name], one.change, change_words(one.change))
        for name, one in found.models.items()
        if name != "global"
    ]
    heads = ("", f"{found.metric}, 95 %", "loss", "change of the loss, 95 %")
    return section(
        f"Three models on your own {found.held_out.count:,} {units} kept aside, exactly",
        Table(heads, rows, right=frozenset({2})),
        change_picture(shown, CHANGE),
        Paragraph(
            "The loss is how far the scores are from what happened: 0 where each is certain and"
            " right, and the smaller the better. These figures have no noise: whoever passes them on"
            f" tells something of your {units} that no budget has paid for.",
            Tone.QUIET,
        ),
    )


CHANGE: Final = (
    "Change of the loss against the study's model, 95 % intervals. The middle is no change; to the"
    " left is better."
)


def _figure(figure: Interval) -> str:
    if figure.value is None:
        return "not known"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _change(name: Compared, judged: Judged) -> str:
    if name == "global":
        return ""
    change = judged.change
    if change.value is None or change.low is None or change.high is None:
        return "not known"
    return f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"


def _making(found: PersonalFacts, units: str) -> Section:
    tried = tuple((setting_words(one), f"{one.loss:.4f}") for one in found.tried)
    return section(
        "How it was made",
        facts(
            [
                (f"{units} that it learnt from", _counted(found.training)),
                (f"{units} that judged", _counted(found.held_out)),
                ("chosen", setting_words(found.chosen)),
            ]
        ),
        "It was chosen on the training side alone, by cross-validation: of the settings that it cannot"
        " tell from the best, the most cautious. Those kept aside only judged what was chosen.",
        Table(("what was tried", "loss in cross-validation"), tried, right=frozenset({1})),
    )


def setting_words(candidate: Candidate) -> str:
    """A setting that was tried, in words."""
    for method in METHODS:
        if method.name == candidate.method:
            return method.words(candidate.setting)
    return "the study's model as it is"


def _counted(rows: Counted) -> str:
    named = ", ".join(f"{count:,} {name}" for name, count in rows.strata.items())
    return f"{rows.count:,}: {named}"


def _use(found: PersonalFacts, about: PersonalAbout) -> Section:
    held = KEPT_GLOBAL
    if found.kept == "personal":
        held = KEPT_PERSONAL
    only = f"At {about.site} only, for what the study's model is for."
    return section(
        "What it may be used for",
        Quoted(about.intended_use),
        bullets([only, held, NOT_CHARGED]),
        facts(
            [
                ("folder", about.folder),
                ("to use it", Code(f"securefl predict {about.name} TABLE.csv --site {about.home}")),
            ]
        ),
    )


KEPT_GLOBAL: Final = "The study's model is used; no weights of the personal one are kept."
KEPT_PERSONAL: Final = (
    "The personal model holds what your patients' rows taught it, without noise. It is as"
    " confidential as the records: readable by you alone, in no backup, refused by every other"
    " command, and never a study's output or input."
)
NOT_CHARGED: Final = (
    "Nothing left the hospital, so nothing was charged: a budget bounds what others can learn, and"
    " nobody else gets anything of this. The ledger notes that it was made."
)
