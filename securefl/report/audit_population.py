"""One population's part of the audit's page: its budget, how it was spent, its studies."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from securefl.privacy.explain import explain_epsilon, percent
from securefl.report.audit_studies import (
    approvals_table,
    refusals_part,
    releases_part,
    studies_table,
)
from securefl.report.audit_words import figure, numbered, ranges, share_words
from securefl.report.charts import Segment, Spent, budget_bar, spending
from securefl.report.page import (
    Code,
    Group,
    Lines,
    Moment,
    Outside,
    Paragraph,
    Section,
    Span,
    Tone,
    blocks,
    facts,
    group,
    section,
    when,
)
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.privacy.audit import AuditReport
    from securefl.report.audit_words import Json, Numbered
    from securefl.report.page import Facts, Picture, Value, Words

_REOPENED = (
    "The budget is what had been used by the next grant, and the grants since; what was left before"
    " does not come back."
)


def population_section(
    report: AuditReport,
    population: Json,
    *,
    anchor: str,
    until: str,
    detail: bool,
) -> Section:
    """The section of a population.

    Args:
        report: the whole report.
        population: the one to show.
        anchor: by which the page's summary finds it.
        until: the time of the page (UTC, ISO 8601), where the picture of spending ends.
        detail: every release is listed openly, not only on demand.
    """
    studies = numbered(report, population["name"])
    datasets = [d for d in report.datasets if d["population"] == population["name"]]
    refusals = [(d["name"], r) for d in datasets for r in d["refusals"]]
    return Section(
        ("Patients of ", Outside(population["name"])),
        blocks(
            when(not report.verified, Paragraph(incomplete_sentence(report.events), Tone.BAD)),
            _budget(population, studies, whole=report.verified),
            _over_time(population, until),
            *_done(report, population, studies, detail=detail),
            section("What was refused", refusals_part(refusals)),
            section("For specialists", _specialists(population, datasets, studies)),
        ),
        anchor=anchor,
        role="population",
    )


def incomplete_sentence(events: int) -> str:
    """The warning on a page of a ledger that does not hold."""
    return (
        f"Incomplete: the ledger does not hold. This shows only its {plural(events, 'event')} that"
        " are unbroken and signed."
    )


def _done(
    report: AuditReport,
    population: Json,
    studies: Sequence[Numbered],
    *,
    detail: bool,
) -> list[Section]:
    if not studies:
        nothing = "No study is listed here, and nothing of one left the hospital."
        return [section("Studies", nothing)]
    return [
        section("Studies", studies_table(studies)),
        section("Who approved what, and when", approvals_table(report.site, studies)),
        section("What left the hospital", *releases_part(population, studies, detail=detail)),
    ]


def _budget(population: Json, studies: Sequence[Numbered], *, whole: bool) -> Group:
    epsilon, delta = (population["budget"][k] for k in ("epsilon", "delta"))
    part = ""
    if not whole:
        part = " This is what the part of the ledger says that holds."
    reopened = population["revocations"] and not population["revoked"]
    used_up = explain_epsilon(
        Decimal(str(epsilon)), Decimal(str(delta)), of="all that is ever released under it"
    )
    return group(
        Paragraph(share_words(population, studies[-1].name if studies else None) + part, lead=True),
        _budget_picture(population, studies),
        facts(
            [
                ("Budget", granted_sentence(figure(epsilon), figure(delta))),
                ("When all of it is used", used_up),
                ("Granted and taken back", Lines(tuple(_grants(population)))),
                when(reopened, ("Since then", _REOPENED)),
            ]
        ),
    )


def granted_sentence(epsilon: str, delta: str) -> str:
    """Size and purpose of a population's budget."""
    return (
        f"epsilon {epsilon} at delta {delta}, for all studies of all researchers together. It never"
        " renews by itself."
    )


def _budget_picture(population: Json, studies: Sequence[Numbered]) -> Picture:
    cap = population["filter"]["cap"]
    used = population["share_used"]
    # Shares are rounded up, study by study; in the picture they may not outgrow the whole.
    charged = [(s, _charged(s) / cap) for s in studies if _charged(s)]
    earlier = population["filter"]["used"] / cap - sum(share for _, share in charged)
    segments = [Segment(str(s.number), share) for s, share in charged]
    rest = "is left"
    if population["revoked"]:
        rest = "was taken back by the owner"
    caption = "Nothing is used yet."
    if charged:
        caption = (
            "Each piece is a study, with its number in the table of studies below; the pale rest"
            f" {rest}."
        )
    if earlier > 1e-9:
        segments = [Segment("earlier", earlier), *segments]
        caption += " The first piece is what earlier studies took."
    spoken = ", ".join(
        f"study {s.number} {percent(Decimal(str(s.study['share'])))}" for s, _ in charged
    )
    words = f"Budget: {percent(Decimal(str(used)))} used" + (f": {spoken}." if spoken else ".")
    return budget_bar(segments, words, caption)


def _grants(population: Json) -> list[Words]:
    """Every grant and every revocation by date, each with what was in force after it."""
    steps = _in_force(population)
    events: list[tuple[str, int, tuple[str | Span, ...]]] = []
    for g in population["grants"]:
        what = f"granted epsilon {figure(g['epsilon'])} at delta {figure(g['delta'])}"
        like = (f"{what}, for studies like ", Outside(g["typical"]))
        events.append((g["at"], 0, (*like, ". ", Outside(g["reason"]))))
    for r in population["revocations"]:
        note = (": ", Outside(r["note"])) if r["note"] else ()
        events.append((r["at"], 1, ("taken back what was left", *note, ".")))
    found: list[Words] = []
    for at, taken, words in sorted(events, key=lambda e: e[:2]):
        share = percent(Decimal(str(round([s for s in steps if s.at <= at][-1].granted, 6))))
        force = f"{share} of today's budget"
        if taken:
            force = f"what was used, {force}"
        found.append((Moment(at), " UTC: ", *words, " In force: ", Span(force, Tone.STRONG), "."))
    return found


def _in_force(population: Json) -> list[Spent]:
    """Spending over time; from a revocation to the next grant nothing but what is used is in force."""
    cap = population["filter"]["cap"]
    grants = {g["at"] for g in population["grants"]}
    steps = []
    used = 0.0
    revoked = False
    changes = [(s["at"], 0, s) for s in population["spending"]] + [
        (r["at"], 1, None) for r in population["revocations"]
    ]
    for at, _, change in sorted(changes, key=lambda c: c[:2]):
        revoked = change is None or (revoked and at not in grants)
        if change is None:
            steps.append(Spent(at, used, used))
            continue
        used = granted = change["used"] / cap
        if not revoked:
            granted = change["cap"] / cap
        steps.append(Spent(at, used, granted))
    return steps


def _charged(s: Numbered) -> float:
    """A study's part of the budget: nothing when it ended before it started."""
    if not s.study["share"]:
        return 0.0
    return float(s.study["cost"])


def _over_time(population: Json, until: str) -> Section | None:
    if not population["filter"]["used"]:
        return None
    steps = _in_force(population)
    words = "Spending over time, in shares of today's budget: " + "; ".join(
        f"{s.at[:10]} {percent(Decimal(str(round(s.used, 6))))}" for s in steps[-12:]
    )
    caption = (
        "A study is charged in full when it is approved, for the most it can release. What it does"
        " not release is not given back; only a study that never started is."
    )
    picture = spending(steps, max(until, steps[-1].at), words, caption=caption)
    return section("Spending over time", picture)


def _specialists(
    population: Json,
    datasets: Sequence[Json],
    studies: Sequence[Numbered],
) -> Facts:
    kept = population["filter"]
    enforced = (
        f"Rényi divergence at order {kept['order']}: {figure(kept['used'])} of"
        f" {figure(kept['cap'])} charged. Stays valid when later studies are chosen in the light of"
        " earlier ones."
    )
    delta = figure(population["budget"]["delta"])
    entries: list[tuple[str, Value]] = [
        ("How the budget is enforced", enforced),
        *(("Data set", (Outside(d["name"]), *_spent(d, delta))) for d in datasets),
    ]
    for held, which in _terms(studies):
        noun = plural(len(which), "Study", "Studies").partition(" ")[2]
        entries.append((f"{noun} {ranges(which)}", held))
    return facts(entries)


def _spent(dataset: Json, delta: str) -> list[str | Span]:
    """Spending of a data set's studies by both accountants, and its registrations."""
    spent = dataset["spent"]
    words = ": nothing is charged"
    if spent["epsilon_rdp"]:
        words = (
            f": epsilon {figure(spent['epsilon_pld'])} by PLD, {figure(spent['epsilon_rdp'])} by"
            f" RDP at the budget's order, both at delta {delta}"
        )
    parts: list[str | Span] = [words]
    for r in dataset["registered"]:
        hashed = Code(r["snapshot"][:16] + "…")
        parts += ["; registered ", Moment(r["at"]), " UTC with keyed hash ", hashed]
    return parts


def _terms(studies: Iterable[Numbered]) -> list[tuple[tuple[str | Span, ...], list[int]]]:
    """Assumptions of the figures, in words, with the studies that they hold for."""
    found: dict[tuple[str | Span, ...], list[int]] = {}
    for s in studies:
        t = s.study["terms"]
        words = (
            (
                f"one {t['unit']} added or removed; {t['sampling'].capitalize()} sampling; clip norm"
                f" {t['clip_norm']}; normaliser {t['normaliser']}; at most"
                f" {plural(t['rows_per_patient'], 'row')} a patient; training and evaluation on"
                f" {t['split'].replace('-', ' ')}; noise: "
            ),
            Outside(t["noise_source"]),
            "; code ",
            Outside(t["code"]),
            f"; {plural(s.study['attempts'], 'attempt')}; accountants: ",
            Outside("; ".join(s.study["accountants"])),
        )
        found.setdefault(words, []).append(s.number)
    return list(found.items())
