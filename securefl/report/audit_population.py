"""One population's part of the audit's page: its budget, its studies, every release with its cost,
every refusal.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from securefl.privacy.explain import explain_epsilon, percent
from securefl.report.audit_words import (
    KINDS,
    Numbered,
    cost_of,
    figure,
    numbered,
    part_words,
    ranges,
    reason_words,
    runs,
    share_words,
    study_name,
)
from securefl.report.html_charts import Segment, Sent, Spent, budget_bar, legend, releases, spending
from securefl.report.html_parts import Html, joined, said, table, tag
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.privacy.audit import AuditReport
    from securefl.report.audit_words import Json

#: A status as words with a mark, never by colour alone.
_STATUS = {
    "approved": ("○ approved, not started", "wait"),
    "running": ("▸ running", "wait"),
    "completed": ("✓ completed", "ok"),
    "failed": ("✕ failed", "stop"),
    "withdrawn": ("✕ withdrawn by the owner", "stop"),
}


_REOPENED = (
    "The budget is what had been used by the next grant, and the grants since; what was left before"
    " does not come back."
)


def moment(time: str | None) -> Html:
    """A time of the ledger, to the minute; a dash for none."""
    return (
        tag("span", "–")
        if time is None
        else tag("time", tag("span", time[:10], class_="day"), " ", time[11:16], datetime=time)
    )


def population_section(
    report: AuditReport,
    population: Json,
    *,
    anchor: str,
    until: str,
    partial: Html | None,
    detail: bool,
) -> Html:
    """The section of a population.

    Args:
        report: the whole report.
        population: the one to show.
        anchor: the section's id.
        until: the time of the page (UTC, ISO 8601), where the picture of spending ends.
        partial: a warning to repeat here, or None.
        detail: every release is listed openly, not only on demand.
    """
    studies = numbered(report, population["name"])
    datasets = [d for d in report.datasets if d["population"] == population["name"]]
    return tag(
        "section",
        tag("h2", "Patients of ", said(population["name"]), id=anchor),
        partial,
        _budget(population, studies, whole=partial is None),
        _over_time(population, until) if population["filter"]["used"] else None,
        *_done(report, population, studies, detail=detail),
        tag("h3", "What was refused"),
        refusals_table([(d["name"], r) for d in datasets for r in d["refusals"]]),
        tag("h3", "For specialists"),
        _specialists(population, datasets, studies),
        class_="population",
        aria_labelledby=anchor,
    )


def _done(
    report: AuditReport, population: Json, studies: Sequence[Numbered], *, detail: bool
) -> list[Html]:
    if not studies:
        return [
            tag("h3", "Studies"),
            tag("p", "No study is listed here, and nothing of one left the hospital."),
        ]
    return [
        tag("h3", "Studies"),
        _studies(studies),
        tag("h3", "Who approved what, and when"),
        _approvals(report, studies),
        tag("h3", "What left the hospital"),
        releases_part(population, studies, detail=detail),
    ]


def _budget(population: Json, studies: Sequence[Numbered], *, whole: bool) -> Html:
    cap, used = population["filter"]["cap"], population["share_used"]
    # Shares are rounded up, study by study; in the picture they may not outgrow the whole.
    charged = [(s, _charged(s) / cap) for s in studies if _charged(s)]
    earlier = population["filter"]["used"] / cap - sum(share for _, share in charged)
    segments = [Segment("earlier", earlier)] if earlier > 1e-9 else []
    segments += [Segment(str(s.number), share) for s, share in charged]
    spoken = ", ".join(
        f"study {s.number} {percent(Decimal(str(s.study['share'])))}" for s, _ in charged
    )
    words = f"Budget: {percent(Decimal(str(used)))} used" + (f": {spoken}." if spoken else ".")
    rest = (
        "the pale rest was taken back by the owner"
        if population["revoked"]
        else "the pale rest is left"
    )
    caption = (
        f"Each piece is a study, with its number in the table of studies below; {rest}."
        if charged
        else "Nothing is used yet."
    )
    if earlier > 1e-9:
        caption += " The first piece is what earlier studies took."
    epsilon, delta = (population["budget"][k] for k in ("epsilon", "delta"))
    last = studies[-1].name if studies else None
    return joined(
        tag(
            "p",
            share_words(population, last),
            None if whole else " This is what the part of the ledger says that holds.",
            class_="lead",
        ),
        tag("figure", budget_bar(segments, words), tag("figcaption", caption)),
        facts(
            [
                (
                    "Budget",
                    (
                        f"epsilon {figure(epsilon)} at delta {figure(delta)}, for all studies of"
                        " all researchers together. It never renews by itself."
                    ),
                ),
                (
                    "What it means",
                    (
                        "Should all of it be used:"
                        f" w{explain_epsilon(Decimal(str(epsilon)), Decimal(str(delta)))[1:]}"
                    ),
                ),
                ("Granted and taken back", lines(_grants(population))),
                *(
                    [("Since then", _REOPENED)]
                    if population["revocations"] and not population["revoked"]
                    else []
                ),
            ]
        ),
    )


def _grants(population: Json) -> list[Html]:
    """Every grant and every revocation by date, each with what was in force after it."""
    steps = _in_force(population)
    events = [
        (
            g["at"],
            0,
            joined(
                f"granted epsilon {figure(g['epsilon'])} at delta {figure(g['delta'])}, for studies"
                " like ",
                said(g["typical"]),
                ". ",
                said(g["reason"]),
            ),
        )
        for g in population["grants"]
    ]
    events += [
        (
            r["at"],
            1,
            joined(
                "taken back what was left", *([": ", said(r["note"])] if r["note"] else []), "."
            ),
        )
        for r in population["revocations"]
    ]
    found = []
    for at, taken, words in sorted(events, key=lambda e: e[:2]):
        share = percent(Decimal(str(round([s for s in steps if s.at <= at][-1].granted, 6))))
        force = (
            f"what was used, {share} of today's budget" if taken else f"{share} of today's budget"
        )
        found.append(joined(moment(at), " UTC: ", words, " In force: ", tag("b", force), "."))
    return found


def _in_force(population: Json) -> list[Spent]:
    """Spending over time; from a revocation to the next grant nothing but what is used is in force."""
    cap = population["filter"]["cap"]
    grants = {g["at"] for g in population["grants"]}
    steps, used, revoked = [], 0.0, False
    changes = [(s["at"], 0, s) for s in population["spending"]] + [
        (r["at"], 1, None) for r in population["revocations"]
    ]
    for at, _, change in sorted(changes, key=lambda c: c[:2]):
        revoked = change is None or (revoked and at not in grants)
        used = used if change is None else change["used"] / cap
        steps.append(Spent(at, used, used if revoked or change is None else change["cap"] / cap))
    return steps


def _charged(s: Numbered) -> float:
    """What a study takes from the budget: nothing when it ended before it started."""
    return float(s.study["cost"]) if s.study["share"] else 0.0


def _over_time(population: Json, until: str) -> Html:
    steps = _in_force(population)
    until = max(until, steps[-1].at)
    words = "Spending over time, in shares of today's budget: " + "; ".join(
        f"{s.at[:10]} {percent(Decimal(str(round(s.used, 6))))}" for s in steps[-12:]
    )
    return joined(
        tag("h3", "Spending over time"),
        tag(
            "figure",
            spending(steps, until, words),
            legend(
                [
                    ("area", "charged, in per cent of today's budget"),
                    ("granted", "granted and in force (dashed line)"),
                ]
            ),
            tag(
                "figcaption",
                "A study is charged in full when it is approved, for the most it can release. What"
                " it does not release is not given back; only a study that never started is.",
            ),
        ),
    )


def _studies(studies: Sequence[Numbered]) -> Html:
    rows: list[list[Html | str]] = []
    for s in studies:
        word, kind = _STATUS[s.study["status"]]
        note = (
            tag("span", tag("br"), "Note: ", said(s.study["note"]), class_="quiet")
            if s.study["note"]
            else None
        )
        free = (
            tag("span", tag("br"), "It never started: nothing is charged.", class_="quiet")
            if not s.study["share"]
            else None
        )
        rows.append(
            [
                str(s.number),
                _study(s.name, s.dataset, s.study["researcher"]),
                joined(tag("span", word, class_=f"status {kind}"), note, free),
                moment(s.study["approved_at"]),
                moment(s.study["started_at"]),
                moment(s.study["ended_at"]),
                percent(Decimal(str(s.study["share"]))),
                figure(s.study["epsilon"]),
            ]
        )
    heads: list[Html | str] = [
        "No.",
        "Study",
        "Status",
        "Approved",
        "Started",
        "Ended",
        "Share of the budget",
        "Own epsilon",
    ]
    return table(
        "Studies in the order of approval. Times are UTC. Epsilons of studies do not add up;"
        " shares do.",
        heads,
        [rows],
        right=frozenset({6, 7}),
    )


def _study(name: str, dataset: str, researcher: str) -> Html:
    return tag(
        "div",
        tag("b", name, class_="name"),
        tag("br"),
        tag("span", "on ", said(dataset), ", asked by ", said(researcher), class_="quiet"),
        class_="study",
    )


def _approvals(report: AuditReport, studies: Sequence[Numbered]) -> Html:
    rows: list[list[Html | str]] = [
        [
            str(s.number),
            moment(s.study["approved_at"]),
            said(s.study["researcher"]),
            tag("code", s.study["digest"]),
            tag("code", s.study["statement"]),
        ]
        for s in studies
    ]
    return table(
        f"Each study was approved once, by the data owner of {report.site} with this hospital's"
        " key, and for exactly this digest. Times are UTC.",
        ["No.", "Approved", "Asked by", "Digest of the study", "SHA-256 of the signed approval"],
        [rows],
    )


def releases_part(population: Json | None, studies: Sequence[Numbered], *, detail: bool) -> Html:
    """Every release of some studies: a picture, a table by runs of rounds, and each one on demand."""
    if not studies:
        return tag("p", "Nothing left the hospital.", class_="quiet")
    cap = population["filter"]["cap"] if population else None
    rows = [
        Sent(
            f"{s.number}  {s.name}",
            _total(s, "sent"),
            _total(s, "reserved"),
            f"{_total(s, 'sent'):,} of {_total(s, 'reserved'):,}",
        )
        for s in studies
    ]
    words = "Noised steps and checks sent, of those reserved: " + "; ".join(
        f"study {r.label.split()[0]} {r.words}" for r in rows
    )
    parts = [
        tag(
            "figure",
            releases(rows, words),
            legend([("tone0", "sent"), ("left frame", "reserved, not sent")]),
            tag("figcaption", "Noised steps, checks and statistics of each study."),
        ),
        table(
            "What left, by study and run of rounds; nothing else about patients is released. Costs"
            " are shares of the budget, rounded up. Times are UTC.",
            [
                "Rounds",
                "What",
                "Noise multiplier",
                "Patients in a step",
                "Steps",
                "Cost",
                "First and last",
            ],
            [_run_rows(s, cap) for s in studies],
            right=frozenset({2, 3, 4, 5}),
            titles=[_over(s) for s in studies],
        ),
        (
            tag(
                "p",
                "Every single release is listed in the page's file on a screen, or on paper with ",
                tag("code", "securefl audit --html FILE --detail"),
                ".",
                class_="quiet onpaper",
            )
            if not detail
            else None
        ),
        *(_every(s, cap, detail=detail) for s in studies if s.releases),
    ]
    return joined(*parts)


def _total(s: Numbered, of: str) -> int:
    return sum(getattr(slot, of) for slot in s.slots.values())


def _over(s: Numbered) -> Html:
    share = percent(Decimal(str(s.study["share"]))) if s.study["share"] else "none"
    answers = f" and {plural(s.study['answers'], 'unmasking answer')}" if s.study["answers"] else ""
    return joined(
        f"{s.number}  ",
        tag("span", s.name, class_="name"),
        f": {plural(len(s.releases), 'release')}{answers}; charged: {share} of the budget",
    )


def _cost(amount: float, cap: float | None) -> str:
    return "" if cap is None else part_words(amount / cap)


def _run_rows(s: Numbered, cap: float | None) -> list[list[Html | str]]:
    rows = [
        [
            str(run[0]["round"]) if len(run) == 1 else f"{run[0]['round']} to {run[-1]['round']}",
            plural(len(run), *KINDS[run[0]["kind"]]),
            *_mechanism(run[0]),
            f"{sum(r['steps'] for r in run):,}",
            _cost(sum(cost_of(r, s.slots) for r in run), cap),
            (
                moment(run[0]["at"])
                if len(run) == 1
                else joined(moment(run[0]["at"]), " to ", moment(run[-1]["at"]))
            ),
        ]
        for run in runs(s.releases)
    ]
    for slot in s.slots.values():
        if slot.unsent and s.study["share"]:
            running = s.study["status"] in {"approved", "running"}
            rows.append(
                [
                    "–",
                    tag(
                        "i",
                        f"{'not sent yet' if running else 'charged, never sent'}:"
                        f" {KINDS[slot.charge['kind']][1]}",
                    ),
                    *_mechanism(slot.charge),
                    f"{slot.unsent:,}",
                    _cost(slot.unsent * slot.one, cap),
                    "–",
                ]
            )
    return rows or [["–", tag("i", "nothing was sent and nothing is charged"), "", "", "", "", "–"]]


def _mechanism(entry: Json) -> list[Html | str]:
    rate = entry["sample_rate"]
    return [entry["noise_multiplier"], "all" if rate in {"1", "1/1"} else rate]


def _every(s: Numbered, cap: float | None, *, detail: bool) -> Html:
    rows: list[list[Html | str]] = [
        [
            str(r["round"]),
            KINDS[r["kind"]][0],
            *_mechanism(r),
            str(r["steps"]),
            _cost(cost_of(r, s.slots), cap),
            moment(r["at"]),
        ]
        for r in sorted(s.releases, key=lambda r: (r["at"], r["round"]))
    ]
    heads: list[Html | str] = [
        "Round",
        "What",
        "Noise multiplier",
        "Patients in a step",
        "Steps",
        "Cost",
        "When",
    ]
    return tag(
        "details",
        tag("summary", f"Every release of study {s.number} ({len(rows):,})"),
        table(
            f"Every release of study {s.number}, {s.name}",
            heads,
            [rows],
            right=frozenset({2, 3, 4, 5}),
        ),
        open=detail,
    )


def refusals_table(refusals: Sequence[tuple[str, Json]]) -> Html:
    """Every refusal with its figures: ``(data set, refusal)``."""
    if not refusals:
        return tag("p", "Nothing was refused.", class_="quiet")
    rows: list[list[Html | str]] = []
    for dataset, r in sorted(refusals, key=lambda pair: pair[1]["at"]):
        asked, left = (None if r[k] is None else Decimal(str(r[k])) for k in ("asked", "left"))
        note = (
            tag("span", tag("br"), "Note: ", said(r["note"]), class_="quiet") if r["note"] else None
        )
        rows.append(
            [
                moment(r["at"]),
                _study(study_name(r["id"], r["study"]), dataset, r["researcher"]),
                joined(tag("span", reason_words(r["reason"]), class_="stop"), note),
                "–" if asked is None else percent(asked),
                "–" if left is None else percent(left, rounding=ROUND_FLOOR),
            ]
        )
    return table(
        "Refused studies; none of them saw a record. Shares are of the budget as it was then. Times"
        " are UTC.",
        ["When", "Study", "Why", "Asked for", "Was left"],
        [rows],
        right=frozenset({3, 4}),
    )


def _specialists(population: Json, datasets: Sequence[Json], studies: Sequence[Numbered]) -> Html:
    kept = population["filter"]
    entries: list[tuple[str, Html | str]] = [
        (
            "How the budget is enforced",
            (
                f"Rényi divergence at order {kept['order']}: {figure(kept['used'])} of"
                f" {figure(kept['cap'])} charged. Stays valid when later studies are chosen in the"
                " light of earlier ones."
            ),
        ),
    ]
    for d in datasets:
        spent = d["spent"]
        words: Html | str = (
            f": epsilon {figure(spent['epsilon_pld'])} by PLD, {figure(spent['epsilon_rdp'])} by"
            f" RDP at the budget's order, both at delta {figure(population['budget']['delta'])}"
        )
        if not spent["epsilon_rdp"]:
            words = ": nothing is charged"
        registered = [
            joined(
                "; registered ",
                moment(r["at"]),
                " UTC with keyed hash ",
                tag("code", r["snapshot"][:16] + "…"),
            )
            for r in d["registered"]
        ]
        entries.append(("Data set", joined(said(d["name"]), words, *registered)))
    for held, which in _terms(studies):
        entries.append((f"{'Study' if len(which) == 1 else 'Studies'} {ranges(which)}", said(held)))
    return facts(entries)


def _terms(studies: Iterable[Numbered]) -> list[tuple[str, list[int]]]:
    """What the figures rest on, in words, with the studies it holds for."""
    found: dict[str, list[int]] = {}
    for s in studies:
        t = s.study["terms"]
        words = (
            f"one {t['unit']} added or removed; {t['sampling'].capitalize()} sampling; clip norm"
            f" {t['clip_norm']}; normaliser {t['normaliser']}; at most"
            f" {plural(t['rows_per_patient'], 'row')} a patient; training and evaluation on"
            f" {t['split'].replace('-', ' ')}; noise: {t['noise_source']}; code {t['code']};"
            f" {plural(s.study['attempts'], 'attempt')}; accountants:"
            f" {'; '.join(s.study['accountants'])}"
        )
        found.setdefault(words, []).append(s.number)
    return list(found.items())


def facts(entries: Iterable[tuple[str, Html | str]]) -> Html:
    """Labels and values."""
    return tag(
        "dl",
        *(joined(tag("dt", label), tag("dd", value)) for label, value in entries),
        class_="facts",
    )


def lines(items: Iterable[Html]) -> Html:
    """Items, each on a line of its own."""
    return joined(*(tag("div", item) for item in items))
