"""The audit as a page for people: one HTML file, without script or network, for a screen and for
paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from securefl.privacy.explain import percent
from securefl.privacy.ledger_events import RESTORE
from securefl.report.audit_population import (
    facts,
    moment,
    population_section,
    refusals_table,
    releases_part,
)
from securefl.report.audit_words import numbered
from securefl.report.html_parts import Html, document, joined, said, table, tag
from securefl.report.html_style import STYLE
from securefl.report.words import day, plural

if TYPE_CHECKING:
    from securefl.privacy.audit import AuditReport


@dataclass(frozen=True)
class PageFacts:
    """What a page says beside the ledger's own report.

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


def audit_page(report: AuditReport, about: PageFacts) -> str:
    """The owner's report as an HTML page that stands alone.

    Args:
        report: from :func:`securefl.privacy.audit.audit`.
        about: what the page says beside it.
    """
    partial = None
    if not report.verified:
        partial = tag(
            "p",
            "Incomplete: the ledger does not hold. This shows only its"
            f" {plural(report.events, 'event')} that are unbroken and signed.",
            class_="partial",
        )
    names = [p["name"] for p in report.populations]
    sections = [
        population_section(
            report,
            p,
            anchor=f"population-{i}",
            until=about.made_at,
            partial=partial,
            detail=about.detail,
        )
        for i, p in enumerate(report.populations, 1)
    ]
    loose = [d["name"] for d in report.datasets if d["population"] not in names]
    body = joined(
        tag(
            "header",
            tag("h1", "Privacy audit of ", said(about.legal_name or report.site)),
            tag(
                "p",
                f"What left {report.site}, what it cost its patients' privacy, and who approved it."
                f" Made on {day(about.made_at)}.",
                class_="under",
            ),
        ),
        tag(
            "main",
            _verdict(report, about),
            _paused(report),
            _glance(report, about),
            _summary(report),
            _checked(report, about),
            *sections,
            tag(
                "section",
                _loose(report, loose),
                _elsewhere(report),
                _pauses(report),
                _keys(report, about),
                _witnessed(report),
                _words(),
                class_="rest",
            ),
        ),
        tag("footer", f"Made by securefl {about.version} from the ledger of {report.site}."),
    )
    return document(f"Privacy audit of {report.site}, {about.made_at[:10]}", body, style=STYLE)


def _verdict(report: AuditReport, about: PageFacts) -> Html:
    if report.verified:
        end = (
            "It contains the past that a checkpoint held elsewhere knows"
            f" ({plural(about.checkpoint, 'event')})."
            if about.checkpoint is not None
            else (
                "No checkpoint of another party was compared, so events missing at the very end"
                " would not show."
            )
        )
        return tag(
            "div",
            tag("p", "✓ The ledger is intact", class_="word"),
            tag(
                "p",
                f"All {plural(report.events, 'event')} are there in order, unchanged, signed with"
                f" this hospital's key and within the rules. {end}",
            ),
            class_="verdict good",
            role="status",
        )
    return tag(
        "div",
        tag("p", "✕ The ledger was altered or damaged", class_="word"),
        tag("p", report.fault, class_="fault"),
        tag("p", tag("b", "What to do: "), report.next_step or RESTORE),
        tag(
            "p",
            f"This page shows the {plural(report.events, 'event')} of the file that are unbroken"
            " and signed, and nothing after them. Do not rely on its sums: later charges may be"
            " missing.",
        ),
        class_="verdict bad",
        role="alert",
    )


def _paused(report: AuditReport) -> Html | None:
    if not report.paused:
        return None
    return tag(
        "div",
        tag("p", "‖ Paused", class_="word"),
        tag(
            "p",
            "Nothing starts and nothing leaves this hospital until its owner types ",
            tag("code", "securefl site pause --resume"),
            ".",
        ),
        class_="verdict pause",
    )


def _glance(report: AuditReport, about: PageFacts) -> Html:
    studies = [s for d in report.datasets for s in d["studies"]]
    sent = sum(len(d["releases"]) for d in report.datasets)
    refused = sum(len(d["refusals"]) for d in report.datasets) + len(report.refusals_elsewhere)
    by_status = [
        f"{sum(s['status'] == status for s in studies)} {status}"
        for status in ("approved", "running", "completed", "failed", "withdrawn")
        if any(s["status"] == status for s in studies)
    ]
    entries: list[tuple[str, Html | str]] = [
        ("Hospital", joined(said(about.legal_name), f" ({report.site})")),
        (
            "Ledger",
            joined(f"{plural(report.events, 'event')}, ending in ", tag("code", report.head)),
        ),
        (
            "Card",
            joined(
                tag("code", about.fingerprint), " (the groups that people compare by telephone)"
            ),
        ),
        (
            "Approved",
            plural(len(studies), "study", "studies")
            + (f": {', '.join(by_status)}" if by_status else ""),
        ),
        ("Left the hospital", plural(sent, "noised release")),
        ("Refused", plural(refused, "study", "studies")),
    ]
    if about.since:
        entries.append(
            (
                "Period",
                joined(
                    tag("b", "since ", moment(about.since), " UTC. "),
                    "Studies without news since then, and earlier releases, refusals and approvals,"
                    " are left out; budgets, sums and the pictures of spending cover everything.",
                ),
            )
        )
    return facts(entries)


def _summary(report: AuditReport) -> Html | None:
    if not report.populations:
        return None
    rows: list[list[Html | str]] = []
    for i, p in enumerate(report.populations, 1):
        datasets = [d for d in report.datasets if d["population"] == p["name"]]
        rows.append(
            [
                tag("a", said(p["name"]), href=f"#population-{i}"),
                percent(Decimal(str(p["share_used"]))),
                *(
                    f"{sum(len(d[kind]) for d in datasets):,}"
                    for kind in ("studies", "releases", "refusals")
                ),
            ]
        )
    heads: list[Html | str] = [
        "Patients of",
        "Budget used",
        "Studies approved",
        "Releases",
        "Studies refused",
    ]
    return table(
        "The populations of patients; each has a budget and a part of its own below.",
        heads,
        [rows],
        right=frozenset({1, 2, 3, 4}),
    )


def _loose(report: AuditReport, names: list[str]) -> Html | None:
    """Data sets whose population has no budget; without one no study can be approved."""
    if not names:
        return (
            None
            if report.populations
            else tag(
                "p", "No budget was granted yet and no data set is registered.", class_="quiet"
            )
        )
    entries = []
    for d in (d for d in report.datasets if d["name"] in names):
        studies = [s for s in numbered(report, d["population"]) if s.dataset == d["name"]]
        entries.append(
            joined(
                tag("h3", said(d["name"]), ", patients of ", said(d["population"])),
                releases_part(None, studies, detail=False),
                refusals_table([(d["name"], r) for r in d["refusals"]]),
            )
        )
    return joined(
        tag("h2", "Data sets without a budget"),
        tag(
            "p",
            "No budget was granted for these patients, so nothing can be approved on them. ",
            tag("code", "securefl site budget set"),
            " grants one.",
        ),
        *entries,
    )


def _elsewhere(report: AuditReport) -> Html | None:
    if not report.refusals_elsewhere:
        return None
    return joined(
        tag("h2", "Refused: data sets that are not registered here"),
        refusals_table([(r["dataset"], r) for r in report.refusals_elsewhere]),
    )


def _pauses(report: AuditReport) -> Html | None:
    if not report.pauses:
        return None
    rows: list[list[Html | str]] = [
        [
            moment(p["at"]),
            moment(p["until"]) if p["until"] else tag("b", "it lasts"),
            said(p["note"] or "–"),
        ]
        for p in report.pauses
    ]
    return joined(
        tag("h2", "Pauses"),
        table(
            "When nothing started and nothing left. Times are UTC.",
            ["From", "Until", "Note"],
            [rows],
        ),
    )


def _keys(report: AuditReport, about: PageFacts) -> Html | None:
    """The hospital's signing keys, if they changed; the last one with the fingerprint of the card
    it is on.
    """
    if len(report.keys) < 2:
        return None
    rows: list[list[Html | str]] = [
        [
            moment(k["at"]),
            tag("code", k["key"]),
            tag("code", about.fingerprint) if k is report.keys[-1] else "an earlier card",
        ]
        for k in report.keys
    ]
    words = (
        "The old key signed each change of key, and the new one confirmed it. By telephone people"
        " compare the card, not the key. Times are UTC."
    )
    return joined(
        tag("h2", "Signing keys"),
        table(words, ["Since", "Ed25519 public key", "Card that people compare"], [rows]),
    )


def _witnessed(report: AuditReport) -> Html | None:
    """What this hospital can testify about the ledgers of others."""
    if not report.witnessed:
        return None
    rows: list[list[Html | str]] = [
        [said(w["site"]), moment(w["at"]), f"{w['size']:,}", tag("code", w["head"])]
        for w in report.witnessed
    ]
    return joined(
        tag("h2", "Checkpoints of other hospitals held here"),
        table(
            "The last one of each; a shorter or different ledger there would contradict it. Times"
            " are UTC.",
            ["Hospital", "Noted", "Events", "Ending in"],
            [rows],
            right=frozenset({2}),
        ),
    )


def _checked(report: AuditReport, about: PageFacts) -> Html:
    with_checkpoint = (
        "It was compared with a checkpoint that another party holds, of"
        f" {plural(about.checkpoint, 'event')}."
        if about.checkpoint is not None
        else (
            "It was not compared with a checkpoint. An end that was cut off, or a whole ledger"
            " written anew with the hospital's own key, shows only against one that others hold."
        )
    )
    items = [
        "Each event has a number, without gaps, and the hash of the event before it.",
        (
            "Each event's text has exactly the hash that was signed, and the signature is by this"
            " hospital's key: the one on its card, or one that it was changed from or to with both"
            " keys' signatures."
        ),
        (
            "Replayed from the first event on, each one keeps the rules: no charge above the"
            " budget, no release that was not approved, started and paid for, none twice for a"
            " round, none after the end or during a pause."
        ),
        with_checkpoint,
    ]
    return tag(
        "section",
        tag("h2", "How this was checked"),
        (
            None
            if report.verified
            else tag("p", "Each event was checked so, up to the first one that does not hold:")
        ),
        tag("ul", *(tag("li", i) for i in items)),
        tag(
            "p",
            "To repeat it: ",
            tag("code", "securefl audit"),
            " in the hospital's folder, with ",
            tag("code", "--checkpoint FILE"),
            " and a checkpoint from another party. It ends with exit code 0 for an intact ledger, 3"
            " for an altered one, 4 for one that cannot be read.",
        ),
        tag(
            "p",
            "What a ledger cannot show: it lists what this software noted before it sent it."
            " Whether other ways out of the hospital exist is not its subject.",
        ),
    )


def _words() -> Html:
    words = [
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
            (
                "The chance with which each patient takes part in a step, drawn anew by lot every"
                " time."
            ),
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
    ]
    return tag(
        "section",
        tag("h2", "What the words mean"),
        tag("dl", *(joined(tag("dt", w), tag("dd", m)) for w, m in words), class_="words"),
        class_="meaning",
    )
