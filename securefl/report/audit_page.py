"""The audit as a whole: every population, every study, every release, for the officer who checks it.

Drawn as HTML it is one file for a screen and for paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from securefl.privacy.explain import percent
from securefl.privacy.ledger_events import RESTORE
from securefl.report.audit_explained import glossary, how_checked
from securefl.report.audit_population import population_section
from securefl.report.audit_studies import refusals_part, releases_part
from securefl.report.audit_words import (
    AGREEMENTS,
    BY_RULE,
    ENDORSED,
    EXCLUDED,
    PERSONAL,
    endorsed_lines,
    numbered,
    ruled_lines,
    study_name,
)
from securefl.report.page import (
    Code,
    Link,
    Moment,
    Notice,
    Outside,
    Page,
    Paragraph,
    Section,
    Span,
    Table,
    Tone,
    blocks,
    bullets,
    facts,
    section,
    when,
)
from securefl.report.words import day, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.privacy.audit import AuditReport
    from securefl.privacy.audit_history import Json
    from securefl.report.page import Block, Facts, Row, Words


@dataclass(frozen=True)
class PageFacts:
    """Facts of a page beside the ledger's own report.

    Args:
        made_at: UTC, ISO 8601.
        version: securefl's.
        legal_name: the hospital's, from its card.
        fingerprint: the card's, in the groups that people compare.
        since: the page leaves out what was before, or None.
        checkpoint: how many events the checkpoint knows that the ledger was compared with, or None.
        detail: list every release openly.
    """

    made_at: str
    version: str
    legal_name: str
    fingerprint: str
    since: str | None = None
    checkpoint: int | None = None
    detail: bool = False


def audit_page(report: AuditReport, about: PageFacts) -> Page:
    """The owner's report as a page that can be handed on.

    Args:
        report: from :func:`securefl.privacy.audit.audit`.
        about: what the page says beside it.
    """
    populations = (
        population_section(
            report,
            p,
            anchor=f"population-{i}",
            until=about.made_at,
            detail=about.detail,
        )
        for i, p in enumerate(report.populations, 1)
    )
    rest = blocks(
        _without_budget(report),
        _elsewhere(report),
        _personalized(report),
        _endorsed(report),
        _ruled(report),
        _excluded(report),
        _agreements(report),
        _pauses(report),
        _keys(report, about),
        _witnessed(report),
        glossary(),
    )
    return Page(
        ("Privacy audit of ", Outside(about.legal_name or report.site)),
        blocks(
            _verdict(report, about.checkpoint),
            _paused(report),
            _glance(report, about),
            _summary(report),
            how_checked(report, about.checkpoint),
            *populations,
            Section("", rest, role="rest"),
        ),
        under=(
            f"What left {report.site}, what it cost its patients' privacy, and who approved it."
            f" Made on {day(about.made_at)}."
        ),
        footer=f"Made by securefl {about.version} from the ledger of {report.site}.",
        window=f"Privacy audit of {report.site}, {about.made_at[:10]}",
        role="audit",
    )


def _verdict(report: AuditReport, checkpoint: int | None) -> Notice:
    held = plural(report.events, "event")
    if report.verified:
        intact = (
            f"All {held} are there in order, unchanged, signed with this hospital's key and within"
            f" the rules. {end_sentence(checkpoint)}"
        )
        return Notice("✓ The ledger is intact", blocks(intact), Tone.GOOD)
    shown = (
        f"This page shows the {held} of the file that are unbroken and signed, and nothing after"
        " them. Do not rely on its sums: later charges may be missing."
    )
    return Notice(
        "✕ The ledger was altered or damaged",
        blocks((Span("What to do: ", Tone.STRONG), report.next_step or RESTORE), shown),
        Tone.BAD,
        fault=report.fault or "",
    )


def end_sentence(checkpoint: int | None) -> str:
    """Knowledge of events that may be missing at the ledger's end."""
    if checkpoint is None:
        return (
            "No checkpoint of another party was compared, so events missing at the very end would"
            " not show."
        )
    return (
        "It contains the past that a checkpoint held elsewhere knows"
        f" ({plural(checkpoint, 'event')})."
    )


def _paused(report: AuditReport) -> Notice | None:
    if not report.paused:
        return None
    words = (
        "Nothing starts and nothing leaves this hospital until its owner types ",
        Code("securefl site pause --resume"),
        ".",
    )
    return Notice("‖ Paused", blocks(words), Tone.WARN)


def _glance(report: AuditReport, about: PageFacts) -> Facts:
    sent = sum(len(d["releases"]) for d in report.datasets)
    refused = sum(len(d["refusals"]) for d in report.datasets) + len(report.refusals_elsewhere)
    return facts(
        [
            ("Hospital", (Outside(about.legal_name), f" ({report.site})")),
            ("Ledger", (f"{plural(report.events, 'event')}, ending in ", Code(report.head))),
            ("Card", (Code(about.fingerprint), " (the groups that people compare by telephone)")),
            ("Approved", _approved(report)),
            ("Left the hospital", plural(sent, "noised release")),
            ("Refused", plural(refused, "study", "studies")),
            ("Period", about.since and _period(about.since)),
        ]
    )


def _approved(report: AuditReport) -> str:
    states = [s["status"] for d in report.datasets for s in d["studies"]]
    by_status = [
        f"{states.count(status)} {status}"
        for status in ("approved", "running", "completed", "failed", "withdrawn")
        if status in states
    ]
    count = plural(len(states), "study", "studies")
    if not by_status:
        return count
    return f"{count}: {', '.join(by_status)}"


_LEFT_OUT: Final = (
    "Studies without news since then, and earlier releases, refusals and approvals, are left out;"
    " budgets, sums and the pictures of spending cover everything."
)


def _period(since: str) -> Words:
    return (
        Span("since ", Tone.STRONG),
        Moment(since, Tone.STRONG),
        Span(" UTC. ", Tone.STRONG),
        _LEFT_OUT,
    )


def _total(datasets: Sequence[Json], kind: str) -> str:
    """Entries of a kind in all these data sets together."""
    count = sum(len(each[kind]) for each in datasets)
    return f"{count:,}"


def _summary(report: AuditReport) -> Table | None:
    if not report.populations:
        return None
    rows: list[Row] = []
    for i, p in enumerate(report.populations, 1):
        datasets = [d for d in report.datasets if d["population"] == p["name"]]
        counts = [_total(datasets, kind) for kind in ("studies", "releases", "refusals")]
        name = Link(p["name"], anchor=f"population-{i}")
        used = percent(Decimal(str(p["share_used"])))
        rows.append((name, used, *counts))
    return Table(
        ("Patients of", "Budget used", "Studies approved", "Releases", "Studies refused"),
        tuple(rows),
        right=frozenset({1, 2, 3, 4}),
        caption="The populations of patients; each has a budget and a part of its own below.",
    )


def _without_budget(report: AuditReport) -> Block | None:
    """Data sets whose population has no budget; without one no study can be approved."""
    known = {p["name"] for p in report.populations}
    loose = [d for d in report.datasets if d["population"] not in known]
    if not loose:
        nothing = "No budget was granted yet and no data set is registered."
        return when(not report.populations, Paragraph(nothing, Tone.QUIET))
    sections = []
    for d in loose:
        studies = [s for s in numbered(report, d["population"]) if s.dataset == d["name"]]
        sections.append(
            section(
                (Outside(d["name"]), ", patients of ", Outside(d["population"])),
                *releases_part(None, studies, detail=False),
                refusals_part([(d["name"], r) for r in d["refusals"]]),
            )
        )
    return section(
        "Data sets without a budget",
        (
            "No budget was granted for these patients, so nothing can be approved on them. ",
            Code("securefl site budget set"),
            " grants one.",
        ),
        *sections,
    )


def _elsewhere(report: AuditReport) -> Section | None:
    if not report.refusals_elsewhere:
        return None
    return section(
        "Refused: data sets that are not registered here",
        refusals_part([(r["dataset"], r) for r in report.refusals_elsewhere]),
    )


def _personalized(report: AuditReport) -> Section | None:
    """The owner's own use of the tables."""
    rows: list[Row] = [
        (Outside(study_name(p["id"], p["study"])), Moment(p["at"]), Code(p["snapshot"]))
        for p in report.personalized
    ]
    words = (
        "Each was made by the owner, of a completed study's model, on the hospital's own machine."
        " A budget bounds what others can learn; nobody else gets anything of these. Times are UTC."
    )
    heads = ("Study", "Made", "Table that was read (keyed hash)")
    return _listed(PERSONAL, words, heads, rows)


def _endorsed(report: AuditReport) -> Section | None:
    """People who agreed, where the policy asked two."""
    lines = endorsed_lines(report.approvals)
    if not lines:
        return None
    return section(ENDORSED, bullets(Outside(line) for line in lines))


def _ruled(report: AuditReport) -> Section | None:
    """Approvals that a rule of the owner's policy gave."""
    lines = ruled_lines(report.approvals)
    if not lines:
        return None
    return section(BY_RULE, bullets(Outside(line) for line in lines))


def _excluded(report: AuditReport) -> Section | None:
    """Times at which patients were taken out; neither who nor how many."""
    rows: list[Row] = [(Outside(x["population"]), Moment(x["at"])) for x in report.excluded]
    words = (
        "From then on no study of this hospital read the rows of those patients. What earlier"
        " studies released stays as it was. Times are UTC."
    )
    return _listed(EXCLUDED, words, ("Patients of", "Taken out"), rows)


def _agreements(report: AuditReport) -> Section | None:
    """Agreements in the order in which they came into force."""
    rows: list[Row] = [
        (
            Outside(f"{a['consortium']}, version {a['version']}"),
            Moment(a["at"]),
            Outside(", ".join(a["populations"])),
            Outside("; ".join(_departure(d) for d in a["departures"]) or "–"),
            Code(a["agreement"]),
        )
        for a in report.agreements
    ]
    words = (
        "A study on one of the populations has to name the last of these, and is held to its"
        " articles. Times are UTC."
    )
    heads = ("Agreement", "In force since", "Populations", "Notices of leaving", "Digest")
    return _listed(AGREEMENTS, words, heads, rows)


def _departure(departure: Json) -> str:
    return f"{departure['party']}, from {day(departure['effective'])} on"


def _pauses(report: AuditReport) -> Section | None:
    rows: list[Row] = [
        (
            Moment(p["at"]),
            Moment(p["until"]) if p["until"] else Span("it lasts", Tone.STRONG),
            Outside(p["note"] or "–"),
        )
        for p in report.pauses
    ]
    words = "When nothing started and nothing left. Times are UTC."
    return _listed("Pauses", words, ("From", "Until", "Note"), rows)


def _keys(report: AuditReport, about: PageFacts) -> Section | None:
    """The hospital's signing keys, if they changed; the last one with the fingerprint of the card
    it is on.
    """
    if len(report.keys) < 2:
        return None
    rows: list[Row] = [
        (
            Moment(k["at"]),
            Code(k["key"]),
            Code(about.fingerprint) if k is report.keys[-1] else "an earlier card",
        )
        for k in report.keys
    ]
    words = (
        "The old key signed each change of key, and the new one confirmed it. By telephone people"
        " compare the card, not the key. Times are UTC."
    )
    heads = ("Since", "Ed25519 public key", "Card that people compare")
    return _listed("Signing keys", words, heads, rows)


def _witnessed(report: AuditReport) -> Section | None:
    """Checkpoints of others, about whose ledgers this hospital can testify."""
    rows: list[Row] = [
        (Outside(w["site"]), Moment(w["at"]), f"{w['size']:,}", Code(w["head"]))
        for w in report.witnessed
    ]
    words = (
        "The last one of each; a shorter or different ledger there would contradict it. Times are"
        " UTC."
    )
    heads = ("Hospital", "Noted", "Events", "Ending in")
    return _listed(
        "Checkpoints of other hospitals held here",
        words,
        heads,
        rows,
        right=(2,),
    )


def _listed(
    heading: str,
    caption: str,
    heads: tuple[str, ...],
    rows: Sequence[Row],
    *,
    right: Iterable[int] = (),
) -> Section | None:
    if not rows:
        return None
    return section(heading, Table(heads, tuple(rows), frozenset(right), caption))
