"""The data owner's screen: one request, with everything a decision needs, in words that need no
programmer.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from securefl.errors import UntrustedError
from securefl.privacy.explain import explain_share, percent
from securefl.privacy.planning import share
from securefl.report import explain_study, terms
from securefl.report.errors import error_facts
from securefl.report.parts import (
    BAD,
    DIM,
    GOOD,
    WARN,
    Quoted,
    bar,
    bullets,
    bytes_words,
    decimal_words,
    facts,
    joined,
    literal,
    page,
    plural,
    section,
    table,
    title,
)
from securefl.report.registration import unregistered
from securefl.report.rows import counts_words, found_lines, reason_lines, rows_warning

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rich.console import RenderableType

    from securefl.errors import SecureFLError
    from securefl.identity import IdentityCard
    from securefl.privacy.planning import Quote
    from securefl.report.rows import RowCount
    from securefl.study.schema import Study

VERIFIED, NOT_LISTED = "verified here", "NOT in your list"
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
_PURPOSES: Final = {
    "update": "training",
    "evaluation": "check of the model",
    "preparation": "count before training",
}
#: PySyft knows people by e-mail address; ours end in a domain that never receives mail (RFC 2606,
#: section 2).
_NO_MAIL = ".invalid"


def request_id(study: Study, digest: str) -> str:
    """What the owner types: the study's name and the first twelve characters of its digest."""
    return f"{study.study.id}-{digest[:12]}"


def request_page(
    study: Study,
    digest: str,
    *,
    site: str,
    sender: str,
    quote: Quote | None,
    trusted: Sequence[str],
    faults: Sequence[SecureFLError],
    isolation: str,
    rows: RowCount | None = None,
    state: str = WAITING,
    cards: Mapping[str, IdentityCard] | None = None,
    registered: Mapping[str, Any] | None = None,
    others: str = "",
) -> RenderableType:
    """The request as a page.

    Args:
        study: what is asked for.
        digest: of exactly this study.
        site: this hospital's name.
        sender: by whom the request was delivered.
        quote: its price, or None where no budget or data set fits it.
        trusted: names of the parties whose keys in the study are those of this hospital's own list.
        faults: what stands against an approval; empty when it may be approved.
        isolation: the line that says what is enforced on this machine; shown as it is.
        rows: the own table as counted here; it stays on this screen.
        state: what became of it here: ``waiting``, ``refused``, or the state of the study in the
            ledger.
        cards: this hospital's own cards of the parties in ``trusted``. Their owners' names and
            addresses stand on the page then; the study's words about a party stand there only where
            no card does, and are marked as such.
        registered: the data set as its owner registered it, to be compared with what the study asks
            for; None where nothing is.
        others: what the other hospitals signed so far, in a sentence.

    All else follows from ``study``, and so from ``digest`` (decision 22).
    """
    known = frozenset(trusted) - {f.whose for f in faults if isinstance(f, UntrustedError)}
    return page(
        title(f"Request {request_id(study, digest)} to {site}"),
        _verdict(faults, state),
        *([literal(others)] if others and state in {WAITING, "approved"} else []),
        *(
            [Text(warning, style=BAD)]
            if rows is not None and (warning := rows_warning(rows))
            else []
        ),
        _who_asks(study, sender, known, cards or {}),
        _for_what(study),
        _who_else(study, site, known, cards or {}),
        _columns(study, rows, registered),
        _leaves(study),
        section(
            "What it costs your patients",
            bullets(explain_study.privacy_sentences(study)),
            Text(f"Figures: {explain_study.figure_words(study)}", style=DIM),
        ),
        *([_budget(study, quote)] if state == WAITING else []),
        section("When it runs", bullets(terms.when_sentences(study))),
        _terms(study),
        _enforced(isolation),
        section("What cannot be undone", bullets(explain_study.undone_sentences())),
        *_faults(faults),
        *([_nothing(study, cards or {})] if state == WAITING else []),
        _next(request_id(study, digest), faults, state),
    )


def decided_words(state: str) -> str:
    """What was decided here, in a sentence, for every state but ``waiting``."""
    return _DECIDED.get(state, f"Its state here: {state}.")


def _verdict(faults: Sequence[SecureFLError], state: str) -> Text:
    if state != WAITING:
        since = (
            f" Since then {plural(len(faults), 'fault')} came up, listed at the end."
            if faults
            else ""
        )
        return Text(
            decided_words(state) + since,
            style=BAD if faults or state in {"failed", "refused", "withdrawn"} else GOOD,
        )
    if faults:
        return Text(
            f"It cannot be approved as it stands: {plural(len(faults), 'fault')}, listed at the"
            " end.",
            style=BAD,
        )
    return Text("All checks of this hospital passed. The decision is yours.", style=GOOD)


def _mark(name: str, known: Collection[str]) -> Text:
    return Text(VERIFIED, style=GOOD) if name in known else Text(NOT_LISTED, style=BAD)


def _who_asks(
    study: Study, sender: str, known: Collection[str], cards: Mapping[str, IdentityCard]
) -> RenderableType:
    who = study.coordinator
    own = cards.get(who.name)
    mail = (own or who).email
    claimed = "" if own else " (says the study)"
    ours = sender.partition("@")[0] == who.name and sender.endswith(_NO_MAIL)
    same = ours or sender in {who.name, mail}
    delivered = (
        literal(sender)
        if same
        else joined(
            literal(sender, BAD),
            Text(
                " is NOT the researcher whom the study names; telephone before you decide",
                style=BAD,
            ),
        )
    )
    return section(
        "Who asks",
        facts(
            [
                ("researcher", joined(literal(who.name, "bold"), " — ", _mark(who.name, known))),
                (f"organisation{claimed}", Quoted((own or who).legal_name)),
                ("lead", Quoted(study.study.lead)),
                (f"e-mail{claimed}", Quoted(mail)),
                (
                    "key fingerprint",
                    Text(explain_study.card(who, "researcher").spoken, style="bold"),
                ),
                (
                    "",
                    Text(
                        "Compare these groups by telephone, with a number you know from elsewhere.",
                        style=DIM,
                    ),
                ),
                ("delivered by", delivered),
            ]
        ),
    )


def _for_what(study: Study) -> RenderableType:
    about = study.study
    uses = ", ".join(explain_study.duo_words(code) for code in about.duo)
    return section(
        "For what (in the researcher's own words)",
        Quoted(about.lay_summary),
        Text(""),
        facts(
            [
                ("title", Quoted(about.title)),
                ("purpose", Quoted(about.purpose)),
                ("ethics", Quoted(about.ethics_ref)),
                ("legal basis", Quoted(about.legal_basis)),
                *([("allowed use", uses)] if uses else []),
            ]
        ),
    )


def _who_else(
    study: Study, site: str, known: Collection[str], cards: Mapping[str, IdentityCard]
) -> RenderableType:
    # our own mark stands before the party's own words, in a column that those cannot reach
    grid = Table.grid(padding=(0, 2))
    for p in study.participants:
        grid.add_row(
            literal(p.name, "bold"),
            Text("this hospital") if p.name == site else _mark(p.name, known),
            Quoted(cards.get(p.name, p).legal_name),
        )
    strangers = sum(p.name != site and p.name not in known for p in study.participants)
    adds = study.aggregator
    grid.add_row(
        literal(adds.name, "bold"),
        Text("adds, holds no key"),
        Quoted(cards.get(adds.name, adds).legal_name),
    )
    body: list[RenderableType] = [grid]
    if strangers:
        warning = (
            f"{strangers} of {plural(len(study.participants), 'hospital')} NOT in your list. A"
            " researcher could invent hospitals; only those that you verified can hide your"
            " numbers in the total."
        )
        body = [Text(warning, style=BAD), *body]
    return section(f"Who takes part ({plural(len(study.participants), 'hospital')})", *body)


def _columns(
    study: Study, rows: RowCount | None, registered: Mapping[str, Any] | None
) -> RenderableType:
    extra: list[RenderableType] = []
    other = [] if registered is None else unregistered(study.data, registered)
    if other:
        extra = [Text(""), Text(NOT_REGISTERED, style=BAD), *(Quoted(line) for line in other)]
    if rows is not None:
        extra += [
            Text(""),
            joined(Text("Your table: ", style="bold"), counts_words(rows)),
            # reasons and notes name columns, and columns are named by whoever wrote the study
            *(Quoted(line) for line in (*reason_lines(rows), *found_lines(rows.found))),
            *(Quoted(note, style=BAD) for note in rows.notes),
            Text("This stands on your screen only; it is never sent.", style=DIM),
        ]
    return section(
        f"Which columns (data set {study.data.dataset}, patients of {study.data.population})",
        facts((label, Quoted(text)) for label, text in explain_study.column_rows(study)),
        explain_study.use_words(study),
        *extra,
    )


def _leaves(study: Study) -> RenderableType:
    items = explain_study.leaving(study)
    total = bytes_words(sum(i.times * i.size for i in items))
    lines = [
        Text.assemble((i.sentence.partition(":")[0], "bold"), ":", i.sentence.partition(":")[2])
        for i in items
    ]
    return Group(
        section(
            "What leaves this hospital",
            bullets(
                [
                    *lines,
                    (
                        "Nothing else about patients: no record, no identifier, no exact count of"
                        f" rows, no figure without noise. In all {total}."
                    ),
                ]
            ),
        ),
        section(
            "Who can see it",
            bullets(
                [
                    *explain_study.sum_sentences(study),
                    (
                        "The others can see whether you approved, and whether your answers came in"
                        " time."
                    ),
                ]
            ),
        ),
    )


def _budget(study: Study, quote: Quote | None) -> RenderableType:
    heading = f"What it takes from the budget of {study.data.population}"
    if quote is None:
        return section(
            heading,
            Text(
                "There is no budget that this study could be charged to; see the faults below.",
                style=BAD,
            ),
        )
    after = share(quote.used + quote.asked, quote.cap)
    rows: list[tuple[str, RenderableType | str]] = [
        ("budget", bar(quote.used_share, quote.asked_share)),
        ("now", f"{percent(quote.used_share)} of the budget used"),
        (
            "this study",
            (
                f"takes {percent(quote.asked_share)} of the whole budget, charged for all it may do"
                " before any data is touched"
            ),
        ),
    ]
    if quote.fits:
        rows.append(("after it", explain_share(after, quote.room - 1)))
    else:
        left = percent(quote.left_share, rounding=ROUND_FLOOR)
        rows.append(("after it", Text(f"it does not fit: {left} of the budget is left", style=BAD)))
    return section(heading, facts(rows), _charges(study, quote))


def _charges(study: Study, quote: Quote) -> RenderableType:
    """Each kind of release with its part of the owner's budget, and with its own epsilon by the
    study.
    """
    own = {
        "update": study.privacy.epsilon,
        "evaluation": study.evaluation.epsilon,
        **({"preparation": study.preparation.epsilon} if study.preparation is not None else {}),
    }
    made = table(["charged apart", "of your budget", "epsilon by itself"], right=[1, 2])
    for charge, cost in quote.parts:
        epsilon = own.get(charge.purpose)
        made.add_row(
            _PURPOSES.get(charge.purpose, charge.purpose),
            percent(share(cost, quote.cap)),
            "–" if epsilon is None else decimal_words(epsilon),
        )
    made.add_row(
        "the whole study",
        percent(quote.asked_share),
        decimal_words(explain_study.worst_epsilon(study)),
    )
    return made


def _terms(study: Study) -> RenderableType:
    return section(
        "What comes out, and what holds",
        Text("Enforced by this program:", style="bold"),
        bullets(terms.enforced_sentences(study)),
        Text(terms.PROMISED, style="bold"),
        facts((label, Quoted(text)) for label, text in terms.promises(study)),
    )


def _nothing(study: Study, cards: Mapping[str, IdentityCard]) -> RenderableType:
    who = cards.get(study.coordinator.name, study.coordinator)
    return section(
        "Until when, and whom to ask",
        bullets(terms.nothing_sentences(study.schedule.closes)),
        facts([("ask", Quoted(study.study.lead)), ("or write to", Quoted(who.email))]),
        Text(
            "Take the telephone number from elsewhere, not from a message about this request.",
            style=DIM,
        ),
    )


def _enforced(isolation: str) -> RenderableType:
    weak = "NOT" in isolation or "not enforced" in isolation
    return section(
        "What is enforced here",
        bullets(
            [
                literal(isolation, WARN if weak else ""),
                (
                    "Only this study runs, unchanged: the approval names its digest. It brings no"
                    " program code of its own."
                ),
                (
                    "The budget is reserved before data is touched; without room the study does not"
                    " start."
                ),
            ]
        ),
    )


def _faults(faults: Sequence[SecureFLError]) -> list[RenderableType]:
    if not faults:
        return []
    parts: list[RenderableType] = []
    for i, fault in enumerate(faults):
        parts += (
            [Text(""), error_facts(fault, quoted=True)] if i else [error_facts(fault, quoted=True)]
        )
    return [section("What stands against it", *parts)]


def _next(name: str, faults: Sequence[SecureFLError], state: str) -> RenderableType:
    if state in {"approved", "running"}:
        return section(
            "What you can do",
            literal(f"securefl site withdraw {name}", "bold"),
            Padding(
                literal(
                    "leaves the study, which ends for all hospitals; what was spent stays spent",
                    DIM,
                ),
                (0, 0, 0, 4),
            ),
        )
    if state != WAITING:
        return section(
            "Your decision",
            "It was made; nothing is left to decide. `securefl site inbox` lists the others.",
        )
    yes = (
        "works once the faults above are mended"
        if faults
        else "says yes, signed with this hospital's key"
    )
    return section(
        "Your decision",
        literal(f"securefl site approve {name}", "bold"),
        Padding(literal(yes, DIM), (0, 0, 0, 4)),
        literal(f'securefl site refuse {name} --reason "..."', "bold"),
        Padding(
            literal(
                "says no, for good: the researcher sees that you refused, your reason stays in your"
                " own ledger",
                DIM,
            ),
            (0, 0, 0, 4),
        ),
    )
