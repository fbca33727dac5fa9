"""A study or protocol in plain words, as Markdown: for ``securefl study check`` and as the page
beside a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from securefl.report import explain_study
from securefl.report.characters import shown
from securefl.report.parts import WIDTH, bytes_words, plural
from securefl.study.schema import Study

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from securefl.identity import Role
    from securefl.study.schema import Party, Template

_MARKUP = re.compile(
    r"([\\`*\[\]<>|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=[#A-Za-z])|(?<=\w)://|^\s*(?:[-+=]|\d+[.)])(?=\s|$|[-+=]))",
    re.MULTILINE,
)


def escaped(text: str) -> str:
    r"""Text from elsewhere so that Markdown shows it literally: no heading, link, picture or HTML
    comes out of it.

    >>> print(escaped("# A [link](x) <b>"))
    \# A \[link\](x) \<b\>
    """
    return _MARKUP.sub(_escape, shown(text, keep_lines=True, own_lines=True))


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found == "://":
        return ":\\/\\/"  # no address becomes a link that could be clicked
    return found[:-1] + "\\" + found[-1]


def study_words(study: Template | Study, digest: str | None = None) -> str:
    """What the study means, as Markdown.

    Args:
        study: a study, or a protocol (then the parties are not decided yet).
        digest: 64 hex characters, where the study has one.
    """
    about, out = study.study, study.outputs
    parts = [
        f"# {_line(about.title)}",
        _identity(study, digest),
        "## For what",
        _quote(about.lay_summary),
        f"Purpose: {_line(about.purpose)}",
        _list(
            [
                f"Lead: {_line(about.lead)}",
                f"Ethics: {_line(about.ethics_ref)}",
                f"Legal basis: {_line(about.legal_basis)}",
                *(f"Allowed use: {_line(explain_study.duo_words(code))}" for code in about.duo),
            ]
        ),
        "## Who asks and who takes part",
        _parties(study),
        "## Which columns",
        f"Data set `{study.data.dataset}` of the patients of `{study.data.population}`.",
        _list(f"{label}: {_line(text)}" for label, text in explain_study.column_rows(study)),
        _line(explain_study.use_words(study)),
        "## What is trained",
        _line(_training(study)),
        "## What leaves each hospital",
        _list(_line(item.sentence) for item in explain_study.leaving(study)),
        _line(_total(study)),
        "## Who can see it",
        _list(map(_line, explain_study.sum_sentences(study))),
        "## What it costs a patient's privacy",
        _list(map(_line, explain_study.privacy_sentences(study))),
        f"Figures: {_line(explain_study.figure_words(study))}",
        "## What cannot be undone",
        _list(map(_line, explain_study.undone_sentences())),
        "## What comes out",
        _list(
            [
                f"Artefacts: {_line(', '.join(out.artefacts))}",
                (
                    f"Promised between people, which no program keeps: owner {_line(out.owner)};"
                    f" licence {_line(out.licence)}"
                ),
                (
                    "Sent at the end, sealed to each, to:"
                    f" {_line(', '.join(out.recipients) or 'nobody but the coordinator')}"
                ),
                *(
                    f"A promise between people, which no program keeps: {_line(note)}"
                    for note in out.notes
                ),
                explain_study.quality_sentence(study),
            ]
        ),
        f"Intended use: {_line(out.intended_use)}",
        "## When it runs and how a hospital leaves",
        _list(
            [
                (
                    f"May run from {study.schedule.opens:%Y-%m-%d} to"
                    f" {study.schedule.closes:%Y-%m-%d}; a round waits at most"
                    f" {plural(study.schedule.round_deadline, 'second')}."
                ),
                (
                    f"{_line(study.exit.notice)}. The study then ends for all; what it spent stays"
                    " spent."
                ),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def study_page(study: Template | Study, digest: str | None = None) -> RenderableType:
    """:func:`study_words` for a terminal."""
    from rich.constrain import Constrain
    from rich.markdown import Markdown

    # rich fills these lines: what it may count otherwise than the screen is spelled out here
    return Constrain(
        Markdown(shown(study_words(study, digest), keep_lines=True), hyperlinks=False), WIDTH
    )


def _line(text: str) -> str:
    # one paragraph: a line break could begin a block of its own
    return escaped(" ".join(text.split()))


def _quote(text: str) -> str:
    return (
        "\n".join(f"> {escaped(line.strip())}".rstrip() for line in text.strip("\n").splitlines())
        or ">"
    )


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _identity(study: Template | Study, digest: str | None) -> str:
    if not isinstance(study, Study):
        return f"`{study.study.id}`, a template: it has no hospitals yet and cannot be requested."
    if digest is None:
        return f"Study `{study.study.id}`."
    return (
        f"Study `{study.study.id}`, digest `{digest}`. Any change to the study gives another digest"
        " and needs new approvals."
    )


def _parties(study: Template | Study) -> str:
    if not isinstance(study, Study):
        return (
            f"Not decided yet; at least {plural(study.secagg.min_contributors, 'hospital')}."
            " `securefl study new` adds them."
        )
    parties: list[tuple[str, Role, Party]] = [
        ("asks and coordinates", "researcher", study.coordinator),
        *(("hospital", "hospital", p) for p in study.participants),
        ("adds, holds no key", "aggregator", study.aggregator),
    ]
    lines = [
        f"{words}: {party.name}, {_line(party.legal_name)}; key"
        f" `{explain_study.card(party, role).spoken}`"
        for words, role, party in parties
    ]
    return _list([*lines]) + "\n\nThe keys are compared by telephone, each with its owner."


def _training(study: Template) -> str:
    t = study.training
    steps = "one step" if t.local_steps == 1 else f"{t.local_steps} steps"
    model = explain_study.model_words(study)
    of_its = (
        "all of its patients who train, every time"
        if study.privacy.sample_rate == 1
        else f"{explain_study.ratio(study.privacy.sample_rate)} of its patients, drawn at random"
    )
    return (
        f"{model[0].upper()}{model[1:]}, in {plural(t.rounds, 'round')}. In each round every"
        f" hospital takes {steps} on {of_its}. The study brings no program code of its own."
    )


def _total(study: Template) -> str:
    total = sum(item.times * item.size for item in explain_study.leaving(study))
    return (
        f"In all {bytes_words(total)} from each hospital, over the whole study. No record, no"
        " patient identifier, no exact count of rows and no figure without noise leaves a"
        " hospital. That a hospital approved, and whether it answered in time, can be seen by the"
        " others."
    )
