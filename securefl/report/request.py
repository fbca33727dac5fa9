"""Data owner's screen: one request, with everything a decision needs.

In words that need no programmer.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UntrustedError
from securefl.learning.stages.programme import Programme
from securefl.privacy.explain import explain_share, percent
from securefl.privacy.planning import share
from securefl.report import explain_columns, explain_study, terms
from securefl.report.changes import changes_section
from securefl.report.earlier_study import continued_section
from securefl.report.errors import errors_facts
from securefl.report.isolation import isolation_spans
from securefl.report.own_graph import own_graph_section
from securefl.report.page import (
    Bar,
    Command,
    Gap,
    Page,
    Paragraph,
    Quoted,
    Section,
    Span,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.questions import thread_section
from securefl.report.registration import unregistered
from securefl.report.request_parties import who_asks, who_takes_part
from securefl.report.rows import counts_words, found_lines, reason_lines, rows_warning
from securefl.report.wording import in_words, words_rows
from securefl.report.words import bytes_words, decimal_words, plural
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from securefl.errors import SecureFLError
    from securefl.identity import IdentityCard
    from securefl.partners import Vouched
    from securefl.privacy.planning import Quote
    from securefl.report.changes import Earlier
    from securefl.report.earlier_study import Continued
    from securefl.report.isolation import Isolation
    from securefl.report.page import Value
    from securefl.report.questions import Exchange
    from securefl.report.rows import RowCount
    from securefl.study.schema import Study
    from securefl.study.words import Words

#: The state of a request on which nothing was decided yet.
WAITING = "waiting"
_DECIDED = {
    "approved": (
        "You approved it. It starts when every hospital has approved and the researcher runs it;"
        " until then it costs nothing."
    ),
    "running": "You approved it, and it runs.",
    "completed": "It is over: you approved it, and it was completed.",
    "failed": "It is over: you approved it, and it failed. `securefl site status` says why.",
    "withdrawn": "It is over: you approved it, and withdrew later.",
    "refused": "You refused it; that is final for this digest.",
}
#: Above what the study says of the data and the owner's registration does not.
NOT_REGISTERED: Final = "The study describes the data otherwise than you registered them:"


def request_id(study: Study, digest: str) -> str:
    """The name that the owner types: the study's id and twelve characters of its digest."""
    return StudyId(study.study.id, digest).name


def request_page(
    study: Study,
    digest: str,
    *,
    site: str,
    sender: str,
    quote: Quote | None,
    trusted: Sequence[str],
    faults: Sequence[SecureFLError],
    isolation: Isolation,
    rows: RowCount | None = None,
    state: str = WAITING,
    cards: Mapping[str, IdentityCard] | None = None,
    vouched: Mapping[str, Vouched] | None = None,
    registered: Mapping[str, Any] | None = None,
    others: str = "",
    commands: bool = True,
    earlier: Earlier | None = None,
    thread: Sequence[Exchange] = (),
    continued: Continued | None = None,
    without_pysyft: Collection[str] = (),
) -> Page:
    """The request as a page.

    Args:
        study: what is asked for.
        digest: of exactly this study.
        site: this hospital's name.
        sender: by whom the request was delivered.
        quote: its price, or None where no budget or data set fits it.
        trusted: names of the parties whose keys in the study are those of this hospital's own list.
        faults: what stands against an approval; empty when it may be approved.
        isolation: what is enforced on this machine.
        rows: the own table as counted here; it stays on this screen.
        state: what became of it here: ``waiting``, ``refused``, or the state of the study in the
            ledger.
        cards: this hospital's own cards of the parties in ``trusted``. Their owners' names and
            addresses stand on the page then; the study's words about a party stand there only where
            no card does, and are marked as such.
        vouched: parties in ``trusted`` whose cards rest on another hospital's word.
        registered: the data set as its owner registered it, to be compared with what the study asks
            for; None where nothing is.
        others: what the other hospitals signed so far, in a sentence.
        commands: end with the commands of a decision; False where the screen has forms for it.
        earlier: the study that was approved last, to be compared; None where there is none.
        thread: what the owner asked, and what the researcher answered.
        continued: the earlier study whose model is trained on; None where there is none.
        without_pysyft: names of hospitals that signed that they take requests without PySyft.

    All else follows from ``study``, and so from ``digest`` (decision 22).
    """
    known = frozenset(trusted) - {f.whose for f in faults if isinstance(f, UntrustedError)}
    warning = rows and rows_warning(rows)
    asked = page(
        f"Request {request_id(study, digest)} to {site}",
        _verdict(faults, state),
        when(state in {WAITING, "approved"}, others),
        warning and Paragraph(warning, Tone.BAD),
        None if earlier is None else changes_section(earlier),
        who_asks(study, sender, known, cards or {}, vouched or {}),
        _for_what(study),
        None if continued is None else continued_section(continued),
        who_takes_part(
            study, site, known, cards or {}, vouched or {}, without_pysyft=without_pysyft
        ),
        _columns(study, rows, registered),
        own_graph_section(study),
        _leaves(study),
        section("Who can see it", bullets(_seen_by(study))),
        section(
            "What it costs your patients",
            bullets(explain_study.privacy_sentences(study)),
            Paragraph(f"Figures: {explain_study.figure_words(study)}", Tone.QUIET),
        ),
        when(state == WAITING, _budget(study, quote)),
        section("When it runs", bullets(terms.when_sentences(study))),
        _terms(study),
        _enforced(isolation),
        section("What cannot be undone", bullets(explain_study.undone_sentences())),
        _faults(faults, study.words),
        thread_section(thread),
        when(state == WAITING, _nothing(study, cards or {})),
        _next(request_id(study, digest), faults, state) if commands else None,
    )
    return in_words(asked, study.words)


def decided_words(state: str) -> str:
    """Say what was decided here, for every state but ``waiting``."""
    return _DECIDED.get(state, f"Its state here: {state}.")


def _verdict(faults: Sequence[SecureFLError], state: str) -> Paragraph:
    count = plural(len(faults), "fault")
    if state != WAITING:
        words = decided_words(state)
        tone = Tone.GOOD
        if state in {"failed", "refused", "withdrawn"}:
            tone = Tone.BAD
        if faults:
            words = f"{words} Since then {count} came up, listed at the end."
            tone = Tone.BAD
        return Paragraph(words, tone)
    if faults:
        words = f"It cannot be approved as it stands: {count}, listed at the end."
        return Paragraph(words, Tone.BAD)
    return Paragraph("All checks of this hospital passed. The decision is yours.", Tone.GOOD)


def _for_what(study: Study) -> Section:
    about = study.study
    uses = ", ".join(explain_study.duo_words(code) for code in about.duo)
    return section(
        "For what (in the researcher's own words)",
        Quoted(about.lay_summary),
        Gap(),
        facts(
            [
                ("title", Quoted(about.title)),
                ("purpose", Quoted(about.purpose)),
                ("ethics", Quoted(about.ethics_ref)),
                ("legal basis", Quoted(about.legal_basis)),
                ("allowed use", uses or None),
                *words_rows(study.words),
            ]
        ),
    )


def _columns(
    study: Study,
    rows: RowCount | None,
    registered: Mapping[str, Any] | None,
) -> Section:
    return section(
        f"Which columns (data set {study.data.dataset}, patients of {study.data.population})",
        facts((label, Quoted(text)) for label, text in explain_columns.column_rows(study)),
        explain_study.use_words(study),
        *_otherwise(study, registered),
        *_own_table(rows),
    )


def _otherwise(study: Study, registered: Mapping[str, Any] | None) -> list[Value]:
    """Differences from the registered data set, where there is one."""
    if registered is None:
        return []
    lines = unregistered(study.data, registered)
    if not lines:
        return []
    told = [Quoted(study.words.say(line)) for line in lines]
    return [Gap(), Span(NOT_REGISTERED, Tone.BAD), *told]


def _own_table(rows: RowCount | None) -> list[Value]:
    """The owner's own count, where the table could be counted."""
    if rows is None:
        return []
    return [
        Gap(),
        (Span("Your table: ", Tone.STRONG), counts_words(rows)),
        # reasons and notes name columns, and columns are named by whoever wrote the study
        *map(Quoted, (*reason_lines(rows), *found_lines(rows.found))),
        *(Quoted(note, tone=Tone.BAD) for note in rows.notes),
        Paragraph("This stands on your screen only; it is never sent.", Tone.QUIET),
    ]


def _leaves(study: Study) -> Section:
    items = explain_study.leaving(study)
    total = bytes_words(sum(i.times * i.size for i in items))
    parted = [i.sentence.partition(":") for i in items]
    return section(
        "What leaves this hospital",
        bullets(
            [
                *((Span(often, Tone.STRONG), colon, what) for often, colon, what in parted),
                terms.nothing_else_sentence(total),
            ]
        ),
    )


def _seen_by(study: Study) -> list[str]:
    return [*explain_study.sum_sentences(study), terms.seen_sentence()]


def _budget(study: Study, quote: Quote | None) -> Section:
    heading = f"What it takes from the budget of {study.data.population}"
    if quote is None:
        missing = "There is no budget that this study could be charged to; see the faults below."
        return section(heading, Paragraph(missing, Tone.BAD))
    return section(
        heading,
        facts(
            [
                ("budget", Bar(quote.used_share, quote.asked_share)),
                ("now", f"{percent(quote.used_share)} of the budget used"),
                ("this study", terms.takes_sentence(quote.asked_share)),
                ("after it", _after(quote)),
            ]
        ),
        _charges(study, quote),
    )


def _after(quote: Quote) -> str | Span:
    if quote.fits:
        return explain_share(share(quote.used + quote.asked, quote.cap), quote.room - 1)
    left = percent(quote.left_share, rounding=ROUND_FLOOR)
    return Span(f"it does not fit: {left} of the budget is left", Tone.BAD)


def _charges(study: Study, quote: Quote) -> Table:
    """Table of each kind of release, with its part of the budget and its own epsilon."""
    released = Programme(study).releases
    rows = [
        (charge.label, percent(share(cost, quote.cap)), decimal_words(stage.claimed(release)))
        for (stage, release), (charge, cost) in zip(released, quote.parts, strict=True)
    ]
    worst = decimal_words(explain_study.worst_epsilon(study))
    rows.append(("the whole study", percent(quote.asked_share), worst))
    return Table(
        ("charged apart", "of your budget", "epsilon by itself"),
        tuple(rows),
        right=frozenset({1, 2}),
    )


def _terms(study: Study) -> Section:
    return section(
        "What comes out, and what holds",
        Span("Enforced by this program:", Tone.STRONG),
        bullets(terms.enforced_sentences(study)),
        Span(terms.PROMISED, Tone.STRONG),
        facts((label, Quoted(text)) for label, text in terms.promises(study)),
    )


def _nothing(study: Study, cards: Mapping[str, IdentityCard]) -> Section:
    who = cards.get(study.coordinator.name, study.coordinator)
    return section(
        "Until when, and whom to ask",
        bullets(terms.nothing_sentences(study.schedule.closes)),
        facts([("ask", Quoted(study.study.lead)), ("or write to", Quoted(who.email))]),
        Paragraph(
            "Take the telephone number from elsewhere, not from a message about this request.",
            Tone.QUIET,
        ),
    )


def _enforced(isolation: Isolation) -> Section:
    walls = isolation_spans(isolation)
    return section("What is enforced here", bullets([*walls, *terms.machine_sentences()]))


def _faults(faults: Sequence[SecureFLError], words: Words) -> Section | None:
    if not faults:
        return None
    first, *more = errors_facts(faults, words)
    apart = [part for fault in more for part in (Gap(), fault)]
    return section("What stands against it", first, *apart)


def _next(name: str, faults: Sequence[SecureFLError], state: str) -> Section:
    if state in {"approved", "running"}:
        leaves = "leaves the study, which ends for all hospitals; what was spent stays spent"
        return section("What you can do", Command(f"securefl site withdraw {name}", leaves))
    if state != WAITING:
        return section(
            "Your decision",
            "It was made; nothing is left to decide. `securefl site inbox` lists the others.",
        )
    yes = "says yes, signed with this hospital's key"
    if faults:
        yes = "works once the faults above are mended"
    no = (
        "says no, for good: the researcher sees that you refused, your reason stays in your own"
        " ledger"
    )
    return section(
        "Your decision",
        Command(f'securefl site ask {name} "..."', "asks the researcher before you decide"),
        Command(f"securefl site approve {name}", yes),
        Command(f'securefl site refuse {name} --reason "..."', no),
    )
