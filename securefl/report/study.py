"""Study or protocol in plain words: for ``securefl study check``, and the page beside a request.

That page is in Markdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.strategies import strategy_of
from securefl.report import explain_columns, explain_study
from securefl.report.markdown import markdown
from securefl.report.own_graph import own_graph_section
from securefl.report.page import (
    Code,
    Facts,
    Outside,
    Page,
    Quoted,
    Value,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.terms import OLD_ROUNDS
from securefl.report.wording import in_words, words_rows
from securefl.report.words import bytes_words, plural
from securefl.study.cadence import cadence_sentences
from securefl.study.groups import LEAST_GROUPS
from securefl.study.longest_wait import duration_words
from securefl.study.schema import Study
from securefl.study.stages import makes_model
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.identity import Role
    from securefl.report.page import Words
    from securefl.study.schema import Party, Schedule, Template


def study_words(study: Template | Study, digest: str | None = None) -> str:
    """:func:`study_page` as Markdown."""
    return markdown(study_page(study, digest))


def study_page(study: Template | Study, digest: str | None = None) -> Page:
    """The page of a study or protocol.

    Args:
        study: a study, or a protocol (then the parties are not decided yet).
        digest: 64 hex characters, where the study has one.
    """
    about = study.study
    data = study.data
    told = page(
        about.title,
        _identity(study, digest),
        section("For what", Quoted(about.lay_summary), _purpose(study)),
        section("Who asks and who takes part", *_parties(study)),
        section(
            "Which columns",
            ("Data set ", Code(data.dataset), " of the patients of ", Code(data.population), "."),
            facts((label, Quoted(text)) for label, text in explain_columns.column_rows(study)),
            explain_study.use_words(study),
        ),
        section("What is trained", _training(study)) if makes_model(study) else None,
        own_graph_section(study),
        section(
            "What leaves each hospital",
            bullets(item.sentence for item in explain_study.leaving(study)),
            _total(study),
        ),
        section("Who can see it", bullets(explain_study.sum_sentences(study))),
        section(
            "What it costs a patient's privacy",
            bullets(explain_study.privacy_sentences(study)),
            f"Figures: {explain_study.figure_words(study)}",
        ),
        section("What cannot be undone", bullets(explain_study.undone_sentences())),
        section("What comes out", *_outputs(study)),
        section("When it runs and how a hospital leaves", *_schedule(study)),
    )
    return in_words(told, study.words)


def _purpose(study: Template) -> Facts:
    about = study.study
    return facts(
        [
            ("Purpose", Quoted(about.purpose)),
            ("Lead", Quoted(about.lead)),
            ("Ethics", Quoted(about.ethics_ref)),
            ("Legal basis", Quoted(about.legal_basis)),
            *(("Allowed use", explain_study.duo_words(code)) for code in about.duo),
            *words_rows(study.words),
        ]
    )


def _outputs(study: Template) -> list[Value]:
    out = study.outputs
    return [
        facts(
            [
                ("Artefacts", Quoted(", ".join(out.artefacts))),
                ("Intended use", Quoted(out.intended_use)),
                when(study.continues, ("Continues the study", Code(study.continues or ""))),
                when(
                    makes_model(study),
                    ("Sent at the end, sealed to each, to", _recipients(out.recipients)),
                ),
            ]
        ),
        "Promised between people, which no program keeps:",
        facts(
            [
                ("owner", Quoted(out.owner)),
                ("licence", Quoted(out.licence)),
                when(
                    out.expires,
                    ("not to be used after", f"{out.expires:%Y-%m-%d}" if out.expires else ""),
                ),
                *(("further", Quoted(note)) for note in out.notes),
            ]
        ),
        explain_study.quality_sentence(study),
    ]


def _recipients(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody but the coordinator"


def _schedule(study: Template) -> list[Value]:
    schedule = study.schedule
    waits = f"A round waits at most {plural(schedule.round_deadline, 'second')}."
    if schedule.longest_wait is not None:
        longest = duration_words(schedule.longest_wait)
        waits = (
            f"A round expects its answers within {plural(schedule.round_deadline, 'second')};"
            f" whoever is away is waited for at most {longest}."
        )
    return [
        f"May run from {schedule.opens:%Y-%m-%d} to {schedule.closes:%Y-%m-%d}.",
        *_hours(schedule),
        waits,
        *([OLD_ROUNDS] if schedule.old_rounds == "remove" else []),
        facts([("how a hospital leaves", Quoted(study.exit.notice))]),
        "The study then ends for all; what it spent stays spent.",
    ]


def _hours(schedule: Schedule) -> list[Value]:
    if schedule.cadence is None:
        return []
    return [*cadence_sentences(schedule.cadence)]


def _identity(study: Template | Study, digest: str | None) -> Words:
    name = Code(study.study.id)
    if not isinstance(study, Study):
        return (name, ", a template: it has no hospitals yet and cannot be requested.")
    if digest is None:
        return ("Study ", name, ".")
    return (
        "Study ",
        name,
        ", digest ",
        Code(digest),
        ". Any change to the study gives another digest and needs new approvals.",
    )


def _parties(study: Template | Study) -> list[Value]:
    if not isinstance(study, Study):
        least = plural(explain_study.hospitals(study), "hospital")
        why = ""
        if study.secagg.groups is not None:
            in_each = study.secagg.min_contributors
            why = f", as groups of {in_each} are compared, {LEAST_GROUPS} or more"
        return [f"Not decided yet; at least {least}{why}. `securefl study new` adds them."]
    parties: list[tuple[str, Role, Party]] = [
        ("asks and coordinates", "researcher", study.coordinator),
        *(("hospital", "hospital", p) for p in study.participants),
        ("adds, holds no key", "aggregator", study.aggregator),
    ]
    lines = []
    for words, role, party in parties:
        key = Code(explain_study.card(party, role).spoken)
        lines.append((f"{words}: {party.name}, ", Outside(party.legal_name), "; key ", key))
    return [bullets(lines), "The keys are compared by telephone, each with its owner."]


def _training(study: Template) -> str:
    t = training_of(study)
    steps = f"{t.local_steps} steps"
    if t.local_steps == 1:
        steps = "one step"
    model = explain_study.model_words(study)
    of_its = f"{explain_study.ratio(t.sample_rate)} of its patients, drawn at random"
    if t.sample_rate == 1:
        of_its = "all of its patients who train, every time"
    moves = strategy_of(t).words
    fewer = ", ".join(f"{name} {plural(n, 'step')}" for name, n in sorted(t.fewer().items()))
    if fewer:
        steps = f"{steps} ({fewer})"
    return (
        f"{model[0].upper()}{model[1:]}, in {plural(t.rounds, 'round')}. In each round every"
        f" hospital takes {steps} on {of_its}. Then the common model {moves} ({t.strategy})."
        f"{explain_study.looks_sentence(study)} The study brings no program code of its own."
    )


def _total(study: Template) -> str:
    total = sum(item.times * item.size for item in explain_study.leaving(study))
    return (
        f"In all {bytes_words(total)} from each hospital, over the whole study. No record, no"
        " patient identifier, no exact count of rows and no figure without noise leaves a"
        " hospital. That a hospital approved, and whether it answered in time, can be seen by the"
        " others."
    )
