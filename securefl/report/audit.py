"""The ledger as its owner reads it, and the extract that a researcher gets.

Shares and room, never a difference of epsilons.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from securefl.privacy.explain import explain_epsilon, explain_share, percent, shared_sentence
from securefl.report.audit_words import (
    AGREEMENTS,
    BY_RULE,
    ENDORSED,
    EXCLUDED,
    NO_NETWORK_WALL,
    PERSONAL,
    endorsed_lines,
    figure,
    noise_words,
    nouns,
    reason_words,
    revoked_words,
    ruled_lines,
    runs,
    slots,
    study_name,
    unwalled_lines,
)
from securefl.report.page import (
    Bar,
    Gap,
    Outside,
    Page,
    Paragraph,
    Quoted,
    Records,
    Section,
    Span,
    Tone,
    bullets,
    facts,
    group,
    page,
    section,
    when,
)
from securefl.report.words import day, plural
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from securefl.privacy.audit import AuditReport
    from securefl.report.page import Block, Value

Json: TypeAlias = "dict[str, Any]"
_STATUS = {
    "approved": Tone.WARN,
    "running": Tone.WARN,
    "completed": Tone.GOOD,
    "failed": Tone.BAD,
    "withdrawn": Tone.BAD,
}


def audit_overview(
    report: AuditReport,
    *,
    detail: bool = False,
    fingerprint: str = "",
    reasons: Mapping[str, str] | None = None,
    continues: Mapping[str, str] | None = None,
) -> Page:
    """The owner's report on one page; :mod:`securefl.report.audit_page` is the whole of it.

    Args:
        report: from :func:`securefl.privacy.audit.audit`.
        detail: one line for every release instead of one for every run of rounds.
        fingerprint: of the hospital's card, in the groups that people compare by telephone.
        reasons: of studies that failed, by digest; for the owner's screen only.
        continues: name of the study from whose model one started, by digest of that one.
    """
    names = {
        s["digest"]: study_name(s["id"], s["digest"]) for d in report.datasets for s in d["studies"]
    }
    names |= {a["study"]: study_name(a["id"], a["study"]) for a in report.approvals}

    def sections(datasets: Iterable[Json]) -> list[Section]:
        return [_dataset(d, names, reasons or {}, continues or {}, detail=detail) for d in datasets]

    budgeted: list[Section] = []
    for population in report.populations:
        its = (d for d in report.datasets if d["population"] == population["name"])
        budgeted += [_population(population), *sections(its)]
    known = {p["name"] for p in report.populations}
    return page(
        f"What left {report.site}, and what it cost",
        _verification(report),
        when(fingerprint, Paragraph(f"The card of {report.site}: {fingerprint}", Tone.QUIET)),
        when(report.paused, Paragraph(_PAUSED, Tone.WARN)),
        *budgeted,
        *sections(d for d in report.datasets if d["population"] not in known),
        when(not report.populations, section("Budget", _NO_BUDGET)),
        _elsewhere(report),
        _keys(report, fingerprint),
        section(PERSONAL, bullets(map(_personalized, report.personalized))),
        section(ENDORSED, bullets(endorsed_lines(report.approvals))),
        section(BY_RULE, bullets(ruled_lines(report.approvals))),
        section(NO_NETWORK_WALL, bullets(_unwalled(report))),
        section(EXCLUDED, bullets(map(_excluded, report.excluded))),
        section(AGREEMENTS, bullets(map(_agreed, report.agreements))),
        section("Pauses", bullets(map(_pause, report.pauses))),
        _approvals(report.approvals),
    )


_PAUSED = "PAUSED: nothing starts and nothing leaves until `securefl site pause --resume`."
_NO_BUDGET = "None was granted yet. `securefl site budget set` grants one."


def _elsewhere(report: AuditReport) -> Section:
    return section(
        "Refused: data sets that are not registered here",
        bullets((f"on {r['dataset']}: ", *_refusal(r)) for r in report.refusals_elsewhere),
    )


def _keys(report: AuditReport, fingerprint: str) -> Section | None:
    if len(report.keys) < 2:
        return None
    lines = [f"{k['key'][:16]}… since {day(k['at'])}" for k in report.keys]
    if fingerprint:
        lines[-1] += f", on the card {fingerprint}"
    return section("Signing keys, each named by the one before it", bullets(lines))


def extract_page(extract: Json) -> Page:
    """The researcher's view of one hospital's ledger: this study's charges and releases only.

    Args:
        extract: from :func:`securefl.privacy.audit.extract`.
    """
    study = extract["study"]
    held = extract["dataset"]
    ended = ""
    if study["ended_at"]:
        ended = f", ended {day(study['ended_at'])}"
    left: Value = "nothing"
    if extract["releases"]:
        left = bullets(map(_run, runs(extract["releases"])))
    privacy = explain_epsilon(Decimal(str(extract["epsilon"])), Decimal(str(extract["delta"])))
    return page(
        f"Extract of the audit of {extract['site']}",
        facts(
            [
                ("study", f"{study_name(study['id'], study['digest'])}: {study['status']}"),
                ("approved", f"{day(study['approved_at'])}{ended}"),
                ("data set", f"{held['name']}, patients of {held['population']}"),
                ("charged", bullets(map(_charge_words, extract["charges"]))),
                ("privacy", privacy),
                ("if masks fail", _alone(extract["terms"])),
                ("what left", left),
            ]
        ),
    )


def _verification(report: AuditReport) -> Paragraph:
    held = plural(report.events, "event")
    if report.verified:
        words = f"Verified: {held}, unbroken and signed; the last is {report.head[:12]}."
        return Paragraph(words, Tone.GOOD)
    follows = f"What follows shows the {held} that are unbroken and signed, and nothing after them."
    return Paragraph(
        (
            "NOT VERIFIED: the ledger was altered or damaged. ",
            report.fault or "",
            f" {report.next_step or ''} {follows}",
        ),
        Tone.BAD,
    )


def _population(population: Json) -> Section:
    used = Decimal(str(population["share_used"]))
    grants = [
        f"epsilon {figure(g['epsilon'])} at delta {figure(g['delta'])} on {day(g['at'])}, for"
        f" studies like {g['typical']}"
        for g in population["grants"]
    ]
    return section(
        f"Patients of {population['name']}",
        facts(
            [
                ("budget", Bar(used)),
                ("", Span(_share_words(used, population), Tone.STRONG)),
                ("granted", bullets(grants)),
                ("taken back", bullets(map(_revocation, population["revocations"]))),
            ]
        ),
    )


def _revocation(revocation: Json) -> str:
    return f"what was left on {day(revocation['at'])}{_noted(revocation)}"


def _share_words(used: Decimal, population: Json) -> str:
    if population["revoked"]:
        return revoked_words(percent(used))
    return explain_share(used, population["studies_like_last"])


def grown_words(name: str, earlier: str) -> str:
    """Say from which study's model a study started, and that each is charged by itself."""
    return f"{name} continues {earlier}, from its released model. Each is charged by itself."


def _dataset(
    dataset: Json,
    names: dict[str, str],
    reasons: Mapping[str, str],
    continues: Mapping[str, str],
    *,
    detail: bool,
) -> Section:
    parts: list[Value] = [_studies(dataset["studies"])]
    grown = [s["digest"] for s in dataset["studies"] if s["digest"] in continues]
    parts += [grown_words(names[digest], continues[digest]) for digest in grown]
    for s in dataset["studies"]:
        if s["digest"] in reasons:  # which may repeat another party's words
            parts += [f"{names[s['digest']]} failed:", Quoted(reasons[s["digest"]]), Gap()]
    parts += [_left(dataset, names, detail=detail), *_unsent(dataset, names)]
    if dataset["refusals"]:
        refused = bullets(map(_refusal, dataset["refusals"]))
        parts += [Span("Refused", Tone.STRONG), refused, Gap()]
    spent = dataset["spent"]
    if spent["epsilon_rdp"]:
        words = (
            f"For specialists: all its studies together, epsilon {figure(spent['epsilon_pld'])} by"
            f" PLD, {figure(spent['epsilon_rdp'])} by RDP at the budget's order. The budget is"
            " enforced by RDP."
        )
        parts.append(Paragraph(words, Tone.QUIET))
    return section(f"Data set {dataset['name']}", *parts)


def _studies(studies: Sequence[Json]) -> Block:
    if not studies:
        return Paragraph("No study was approved.", Tone.QUIET)
    rows = tuple(
        (
            study_name(s["id"], s["digest"]),
            Span(s["status"], _STATUS.get(s["status"], Tone.PLAIN)),
            percent(Decimal(str(s["share"]))),
            day(s["approved_at"])[:10],
            day(s["ended_at"])[:10] if s["ended_at"] else "–",
        )
        for s in studies
    )
    heads = ("study", "status", "share", "approved", "ended")
    return Records(heads, rows, right=frozenset({2}))


def _left(dataset: Json, names: dict[str, str], *, detail: bool) -> Block:
    lines: dict[str, list[str]] = {}
    for digest, of_study in groupby(dataset["releases"], key=lambda r: r["study"]):
        listed = list(of_study)
        words = [_single(release) for release in listed]
        if not detail:
            words = [_run(run) for run in runs(listed)]
        lines.setdefault(digest, []).extend(words)
    for s in dataset["studies"]:
        if s["answers"]:
            lines.setdefault(s["digest"], []).append(
                f"{plural(s['answers'], 'answer')} that took the masks off a sum"
            )
    if not lines:
        return Paragraph("Nothing left the house.", Tone.QUIET)
    rows = [
        (names.get(digest, short_digest(digest)), bullets(said)) for digest, said in lines.items()
    ]
    return group(Span("What left the house", Tone.STRONG), facts(rows), Gap())


def _unsent(dataset: Json, names: dict[str, str]) -> list[Value]:
    """Releases that studies paid for and have not sent; a study that never started pays nothing."""
    rows = []
    for s in dataset["studies"]:
        yet = "charged, never sent"
        if s["status"] in {"approved", "running"}:
            yet = "not sent yet"
        open_ = [
            f"{yet}: {nouns(slot.charge['kind'])[1]}, {slot.unsent:,} of {slot.reserved:,}"
            for slot in slots(s).values()
            if slot.unsent and s["share"]
        ]
        if open_:
            rows.append((names.get(s["digest"], short_digest(s["digest"])), bullets(open_)))
    if not rows:
        return []
    return [Span("Paid for beside that", Tone.STRONG), facts(rows), Gap()]


def _single(release: Json) -> str:
    return f"round {release['round']}: {nouns(release['kind'])[0]}, {day(release['at'])}"


def _run(run: list[Json]) -> str:
    first = run[0]
    last = run[-1]
    if first is last:
        return _single(first)
    # Within a day the date is said once.
    until = day(last["at"])
    if first["at"][:10] == last["at"][:10]:
        until = until[11:]
    since = day(first["at"])
    when = since
    if since != day(last["at"]):
        when = f"{since.removesuffix(' UTC')} to {until}"
    return (
        f"rounds {first['round']} to {last['round']}: {plural(len(run), *nouns(first['kind']))},"
        f" {when}"
    )


def _refusal(refusal: Json) -> tuple[str | Span, ...]:
    figures = ""
    if refusal["asked"] is not None and refusal["left"] is not None:
        asked, left = (Decimal(str(refusal[k])) for k in ("asked", "left"))
        figures = (
            f": it asked for {percent(asked)} of the budget, {percent(left, rounding=ROUND_FLOOR)}"
            " was left"
        )
    reason: str = refusal["reason"]
    note = _noted(refusal)
    return (
        f"{study_name(refusal['id'], refusal['study'])}, {day(refusal['at'])}: ",
        Span(reason_words(reason), Tone.WARN),
        figures,
        note,
    )


def _alone(terms: Json) -> str | None:
    """The figure of one share of the noise, where it is shared."""
    alone = terms.get("epsilon_if_masks_fail")
    if alone is None:
        return None
    return shared_sentence(alone)


def _personalized(entry: Json) -> str:
    return f"{day(entry['at'])}, of {study_name(entry['id'], entry['study'])}"


def _excluded(entry: Json) -> str:
    return f"{day(entry['at'])}, of {entry['population']}"


def _agreed(entry: Json) -> str:
    left = "".join(
        f"; {d['party']} leaves it from {day(d['effective'])} on" for d in entry["departures"]
    )
    return (
        f"{day(entry['at'])}, {entry['consortium']}, version {entry['version']}"
        f" ({entry['agreement'][:12]}), for {', '.join(entry['populations'])}{left}"
    )


def _pause(pause: Json) -> str:
    until = "it lasts"
    if pause["until"]:
        until = f"until {day(pause['until'])}"
    return f"from {day(pause['at'])}, {until}{_noted(pause)}"


def _noted(entry: Json) -> str:
    """The owner's note behind an entry, if there is one."""
    if not entry["note"]:
        return ""
    return f"; {entry['note']}"


def _unwalled(report: AuditReport) -> list[str]:
    found: list[str] = []
    for dataset in report.datasets:
        found += unwalled_lines(dataset["studies"])
    return found


def _approvals(approvals: Sequence[Json]) -> Section:
    if not approvals:
        return section("Approvals", Paragraph("None.", Tone.QUIET))
    rows = tuple(
        (
            study_name(a["id"], a["study"]),
            Outside(a["researcher"]),
            day(a["at"]),
            Span(a["statement"][:12], Tone.QUIET),
        )
        for a in approvals
    )
    heads = ("study", "asked by", "approved", "signed statement")
    return section("Approvals", Records(heads, rows))


def _charge_words(charge: Json) -> str:
    steps = charge["steps"]
    rate = ""
    if charge["sample_rate"] not in {"1", "1/1"}:
        rate = f", each on {charge['sample_rate']} of the patients at random"
    return f"{plural(steps, *nouns(charge['kind']))}{rate}, noise multiplier {noise_words(charge)}"
