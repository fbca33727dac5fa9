"""Page of a simulation: how well the model did, what would be released, and what would serve better.

Every page says first that a simulation protects nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.page import (
    Notice,
    Outside,
    Page,
    Paragraph,
    Section,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.simulation_picture import simulation_picture, spread_words
from securefl.report.told import told_section
from securefl.report.words import plural
from securefl.simulation.facts import NOT_SAMPLED

if TYPE_CHECKING:
    from securefl.simulation.facts import PointFacts, Simulation, Spread

#: Sites that a page lists one by one.
_LISTED = 12
_MULTIPLIED = (
    "the figure of both rates multiplied. It would need patients to be drawn each for themselves,"
    " unseen; here a whole hospital comes or stays away, and all parties see it"
)
_VERDICTS = {
    "supported": "reads as a probability",
    "contradicted": "does not read as a probability",
    "cannot-be-told": "cannot be told whether it is a probability",
}


def simulation_page(found: Simulation) -> Page:
    """The page of a finished simulation."""
    notice = Notice("Simulation", (Paragraph(found.label),), Tone.WARN)
    return page(
        ("Simulation of ", Outside(found.title)),
        notice,
        when(found.refused, _refused(found)),
        _setting(found),
        _clients(found),
        _model(found),
        *map(told_section, found.base.tables),
        _released(found),
        _training(found),
        _sweep(found),
        when(found.advice, _advice(found)),
        when(found.warnings, section("Mind", bullets(found.warnings))),
    )


def _refused(found: Simulation) -> Section:
    """Contradictions of the file, before any figure that it gave."""
    return section(
        "No study can be made of this file yet",
        Paragraph("`securefl study check` refuses it. Mend this first, then simulate again:"),
        bullets(Outside(fault) for fault in found.refused),
    )


def _setting(found: Simulation) -> Section:
    train = sum(site.train for site in found.sites)
    aside = sum(site.held_out for site in found.sites)
    cipher = "added in the clear; --encrypted puts them through the cipher"
    if found.encrypted:
        degrees = " and ".join(f"{degree:,}" for degree in found.degrees)
        cipher = (
            "encrypted, added and decrypted by the real cipher, in the rings that a round would take"
            f" (degree {degrees}); no masks, no signatures"
        )
    engine = "Flower's simulation runtime" if found.engine else ""
    return section(
        "What was run",
        facts(
            [
                ("data", found.data),
                (
                    "sites",
                    f"{len(found.sites):,}, with {train:,} to train and {aside:,} kept aside",
                ),
                ("rounds", f"{found.rounds:,} in each of {plural(found.repeat, 'repeat')}"),
                ("sums", cipher),
                when(engine, ("engine", engine)),
                ("seed", str(found.seed)),
            ]
        ),
        when(len(found.sites) <= _LISTED, _sites(found)),
    )


def _sites(found: Simulation) -> Table:
    rows = tuple(
        (
            s.site,
            f"{s.train:,}",
            f"{s.held_out:,}",
            f"{sum(s.set_aside.values()):,}",
        )
        for s in found.sites
    )
    return Table(
        (
            "site",
            "to train",
            "kept aside",
            "set aside",
        ),
        rows,
        frozenset({1, 2, 3}),
    )


def _clients(found: Simulation) -> Section | None:
    """A sample of the hospitals: its rounds, and what a patient is charged for them."""
    made = found.participated
    if made is None:
        return None
    took_part = (
        f"from {made.fewest:,} to {plural(made.most, 'round')}, {made.mean:.3g} on average, of"
        f" {made.rounds:,} that train"
    )
    return section(
        "A part of the hospitals in each round",
        Paragraph(f"{NOT_SAMPLED} Counts and evaluations are of all hospitals here too."),
        facts(
            [
                ("drawn in a round", f"of {made.sites:,} hospitals: {made.rule}"),
                ("a hospital trains in", took_part),
                (
                    "training epsilon, charged",
                    f"{made.charged}: a patient of the hospital that was drawn most often",
                ),
                (
                    "training epsilon, set aside",
                    f"{made.reserved}: a hospital does not know beforehand how often it is drawn",
                ),
                ("not claimed", f"{made.multiplied}, {_MULTIPLIED}"),
            ]
        ),
    )


def _model(found: Simulation) -> Section | None:
    base = found.base
    ended = [
        f"{times} of {found.repeat} repeats ended early: {why}" for why, times in base.ended.items()
    ]
    rows = [(label, words) for label, words in base.rows]
    if found.metric:
        rows.append((f"{found.metric}, exact", spread_words(base.figure)))
        if base.calibration.known:
            rows.append(
                (
                    "calibration",
                    f"scores are {base.calibration.mean:.3f} off true shares on average",
                )
            )
    shown = None
    if not found.points:
        shown = simulation_picture(found)
    return section(
        "What comes out",
        facts(rows),
        bullets(ended),
        shown,
    )


def _released(found: Simulation) -> Section | None:
    base = found.base
    if not base.low.known:
        return None
    width = base.high.mean - base.low.mean
    held = ""
    if base.covered is not None:
        held = f"in {100 * base.covered:.0f} % of the repeats it holds the exact figure"
    point = "none: no interval tells the model from a guess"
    if base.released.known:
        point = spread_words(base.released)
        given = len(base.released.values)
        if given < found.repeat:
            point += f" (given in {given} of {found.repeat} repeats)"
    verdicts = [
        f"{_VERDICTS.get(word, word)} in {times} of {found.repeat}"
        for word, times in base.calibrated.items()
    ]
    return section(
        "What the study would release",
        facts(
            [
                (
                    "interval to expect",
                    f"{base.low.mean:.3f} to {base.high.mean:.3f}, {width:.3f} wide; {held}",
                ),
                (f"{found.metric}, released", point),
                when(verdicts, ("score", "; ".join(verdicts))),
            ]
        ),
    )


def _training(found: Simulation) -> Section | None:
    clipped = {n: s for n, s in found.base.clipped.items() if s.known}
    if not clipped:
        return None
    rows = tuple(
        (
            str(n),
            f"{100 * share.mean:.0f} %",
            f"{found.base.norm[n].mean:.3g}",
            _at(found.base, n),
        )
        for n, share in clipped.items()
    )
    table = Table(
        (
            "after round",
            "gradients clipped",
            "median length",
            found.metric or "figure",
        ),
        rows,
        frozenset({0, 1, 2, 3}),
    )
    cut = f"{100 * found.base.cut:.2g} % of the numbers sent did not fit their field and were cut."
    return section("How it trains", table, cut)


def _at(point: PointFacts, number: int) -> str:
    return spread_words(point.curve[number])


def _sweep(found: Simulation) -> Section | None:
    if not found.points:
        return None
    names = list(found.points[0].changes)
    heads = (
        *names,
        f"{found.metric}, exact",
        "interval",
        "clipped",
        "training epsilon",
    )
    rows = []
    for point in found.points:
        figures = (
            spread_words(point.figure),
            _interval(point),
            _last_share(point),
            point.epsilon,
        )
        rows.append((*point.changes.values(), *figures))
    right = frozenset(range(len(heads)))
    as_written = f"As written: {spread_words(found.base.figure)}."
    return section(
        "Sweep",
        Table(heads, tuple(rows), right),
        _best(found),
        as_written,
        _price(found),
        simulation_picture(found),
    )


def _price(found: Simulation) -> str | None:
    """The price of choosing so on records."""
    price = found.price
    if price is None:
        return None
    return (
        f"Had these {plural(price.points, 'setting')} been run on patients' records: epsilon"
        f" {price.together} at delta {price.delta} for all together, and {price.one} for the"
        " costliest alone. Whoever chooses on records pays for every setting."
    )


def _interval(point: PointFacts) -> str:
    if not point.low.known:
        return "none"
    return f"{point.low.mean:.2f} to {point.high.mean:.2f}"


def _last_share(point: PointFacts) -> str:
    known: list[Spread] = [spread for spread in point.clipped.values() if spread.known]
    if not known:
        return "not known"
    return f"{100 * known[-1].mean:.0f} %"


def _best(found: Simulation) -> str:
    if found.best is None:
        return "No setting made a figure."
    chosen = found.points[found.best]
    said = f"Best: {chosen.name}, {found.metric} {spread_words(chosen.figure)}."
    if not found.close:
        return said
    listed = "; ".join(found.points[place].name for place in found.close)
    return f"{said} These repeats cannot tell it from: {listed}."


def _advice(found: Simulation) -> Section:
    rules = (
        "Half and twice the clip norm and the learning rate were run beside the study. Another"
        " setting is named where its mean is at least .002 higher and more than two standard errors"
        " above; other edges where the interval is a tenth narrower. Choose on data that are not"
        " the hospitals'."
    )
    listed = [f"{one.subject}: {one.words}" for one in found.advice]
    return section("What would serve better", bullets(listed), Paragraph(rules, Tone.QUIET))
