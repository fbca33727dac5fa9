import io
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import SITES, make_study, with_stage
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from small_study import row_count
from worker_isolation import FILES_OPEN, NETWORK_ALLOWED, NETWORK_OPEN, WALLED

from securefl.errors import DataError, UntrustedError
from securefl.learning.features import Found
from securefl.privacy.charges import Charge
from securefl.privacy.explain import percent
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order, over_budget, share
from securefl.privacy.planning import quote as price
from securefl.report.explain_study import card, leaving
from securefl.report.request import NOT_REGISTERED, request_id, request_page
from securefl.report.request_parties import VERIFIED
from securefl.report.terminal import drawn, plain_text
from securefl.report.terms import NOT_LISTED
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_study
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of

TEXT = make_study()[0]
STUDY, DIGEST = parse_study(TEXT), SealedStudy.read(TEXT).digest
CHARGES = (
    Charge("update", SubsampledGaussian(Decimal("2.14"), Fraction(1, 5), 4), label="training"),
    Charge("evaluation", Gaussian(Decimal("3.75"), 1), aside=True, label="check of the model"),
)
CHOICE = choose_order(Decimal(3), Decimal("1e-5"), CHARGES)
ISOLATION = "isolation: network blocked; all other walls round the worker hold too"
ALL = (*SITES, "Researcher")


def quoted(earlier=0):
    return price(CHOICE.cap, earlier * CHOICE.cost, CHOICE.order, CHARGES, 1)


def rendered(study=STUDY, **changed):
    arguments = {
        "site": "SVI",
        "sender": "Researcher@securefl.invalid",
        "quote": quoted(),
        "trusted": ALL,
        "faults": (),
        "isolation": WALLED,
    }
    return request_page(study, DIGEST, **(arguments | changed))


def text(width=100, **changed):
    return plain_text(rendered(**changed), width)


def flat(**changed):
    return " ".join(text(**changed).split())


def renamed(**changes):
    return STUDY.model_copy(update={"study": STUDY.study.model_copy(update=changes)})


def test_the_page_says_who_asks_with_the_fingerprint_to_compare():
    page = flat()
    assert "Researcher (test)" in page
    assert card(STUDY.coordinator, "researcher").spoken in page
    assert "by telephone" in page


def test_the_price_is_told_in_plain_words():
    page = flat()
    assert (
        "raise a coin-flip guess whether one patient's record was used from 50 % to at most 73 %,"
        " but for a chance of 1 in 100,000." in page
    )
    assert (
        "A patient known to two of the hospitals loses more: the guess can then rise to 88 %,"
        " but for a chance of 1 in 50,000." in page
    )


def test_the_larger_of_the_two_epsilons_is_the_one_in_words():
    worse = with_stage(STUDY, evaluation_of(STUDY), epsilon=Decimal(3))
    assert "at most 95.3 %" in flat(study=worse)


def test_the_walls_that_do_not_hold_stand_there_word_for_word():
    assert ISOLATION in text(isolation=WALLED)
    assert "wall cores" not in text(isolation=WALLED)  # no rule asks for it
    opened = flat(isolation=FILES_OPEN)
    refusal = "a wall that is required does not hold, so no worker is given a table"
    assert f"isolation: network blocked; {refusal}" in opened
    usual = replace(FILES_OPEN, required=WALLED.required)
    assert "blocked; not every other wall round the worker holds" in flat(isolation=usual)
    why = "does not hold: the kernel has no Landlock (Linux 5.13 or later)"
    assert f"wall files: {why} (your policy requires it)" in opened
    assert f"wall keys: {why}" in opened
    refused = flat(isolation=NETWORK_OPEN)
    assert "isolation: network NOT blocked, so no worker is given a table here" in refused
    allowed = flat(isolation=NETWORK_ALLOWED)
    assert (
        "isolation: network NOT blocked; this hospital's policy lets the worker read the table all"
        " the same" in allowed
    )


def test_each_hospital_is_marked_as_verified_or_not():
    page = text(trusted=("SVI", "STMW"))
    lines = {
        line.split()[0]: line
        for line in page.splitlines()
        if line.strip().endswith("(test)") and line.startswith("  ")
    }
    assert VERIFIED in lines["STMW"]
    assert "this hospital" in lines["SVI"]
    for name in ("SVHC", "SVHD", "other"):
        assert NOT_LISTED in lines[name]
    assert "3 of 5 hospitals NOT in your list" in page


def test_beside_verified_stand_the_cards_own_names_and_never_the_studys():
    false = {"legal_name": "Ministry of Health", "email": "minister@example.gov"}
    study = STUDY.model_copy(
        update={
            "coordinator": STUDY.coordinator.model_copy(update=false),
            "participants": tuple(p.model_copy(update=false) for p in STUDY.participants),
        }
    )
    cards = {
        p.name: card(p, role)
        for p, role in (
            (STUDY.coordinator, "researcher"),
            *((p, "hospital") for p in STUDY.participants),
        )
    }
    page = flat(study=study, cards=cards)
    assert "Ministry" not in page
    assert "minister@" not in page
    assert "Researcher (test)" in page
    assert "researcher@example.org" in page
    # control: without cards the study's own words stand there, and the page says whose words they
    # are
    bare = flat(study=study)
    assert "organisation (says the study)" in bare
    assert "Ministry of Health" in bare


def test_a_researcher_that_is_not_in_the_list_is_marked():
    assert f"Researcher — {VERIFIED}" in text()
    assert f"Researcher — {NOT_LISTED}" in text(trusted=SITES)


def test_a_name_whose_keys_differ_is_not_called_verified_even_if_the_caller_says_so():
    page = text(
        faults=(
            UntrustedError(
                "The study names other keys for SVHC.", whose="SVHC", next_step="Telephone SVHC."
            ),
        )
    )
    line = next(line for line in page.splitlines() if line.startswith("  SVHC"))
    assert NOT_LISTED in line
    assert VERIFIED not in line


@pytest.mark.parametrize(
    "sender", ["Researcher", "Researcher@securefl.invalid", "researcher@example.org"]
)
def test_the_researchers_own_addresses_are_accepted_as_sender(sender):
    assert "is NOT the researcher" not in text(sender=sender)


@pytest.mark.parametrize("sender", ["other@securefl.invalid", "Researcher@evil.example", ""])
def test_a_request_that_somebody_else_delivered_is_marked(sender):
    assert "is NOT the researcher whom the study names" in flat(sender=sender)


def test_what_leaves_is_told_with_how_often_and_how_large():
    page = flat()
    assert "4 times: one encrypted list of 7 numbers blurred with noise, 26.1 kB" in page
    assert "once, at the end: one encrypted list of 8 numbers blurred with noise, 26.1 kB" in page
    assert [item.values for item in leaving(STUDY)] == [7, 8]


def test_the_budget_is_told_as_shares_and_room():
    page = flat()
    asked = quoted()
    assert "0 % of the budget used" in page
    assert f"room for {asked.room - 1} more" in page


def test_a_study_that_does_not_fit_is_told_with_the_figures():
    spent = quoted(CHOICE.studies)
    page = flat(quote=spent, faults=(over_budget(spent),))
    assert "it does not fit" in page
    assert "It cannot be approved as it stands: 1 fault" in page
    assert "of the budget is left" in page


def test_no_page_ever_shows_what_is_left_as_an_epsilon():
    for earlier in range(CHOICE.studies + 1):
        page = flat(study=renamed(lay_summary="Hospitals train one model."), quote=quoted(earlier))
        assert "epsilon left" not in page
        assert "remaining" not in page
        # the only epsilons on the page are the study's own: the figures, and the column of what is
        # charged apart
        assert page.count("epsilon") == 3
        assert "training epsilon 1, check epsilon 1," in page


def test_a_page_without_a_budget_says_so():
    assert "There is no budget" in flat(quote=None)


def test_what_cannot_be_undone_stands_there():
    page = flat()
    for sentence in ("cannot be called back", "never comes back", "is used once"):
        assert sentence in page


def test_every_fault_is_listed_with_its_next_step():
    page = flat(
        faults=(
            DataError("A column is missing.", next_step="Rename it."),
            UntrustedError("Who is X?", whose="X", next_step="Telephone X."),
        )
    )
    assert "2 faults" in page
    for part in ("A column is missing.", "Rename it.", "Who is X?", "Telephone X."):
        assert part in page
    assert "works once the faults above are mended" in page


def test_the_next_commands_name_this_request():
    name = request_id(STUDY, DIGEST)
    assert name == f"small-{DIGEST[:12]}"
    page = text(width=80)
    assert f"securefl site approve {name}" in page
    assert f'securefl site refuse {name} --reason "..."' in page


def test_what_the_owner_may_know_of_the_own_table_is_marked_as_staying_here():
    page = flat(rows=row_count(9172, 9171, 51, {"age: outside 0 to 120": 1}))
    assert (
        "Your table: 9,172 rows, 9,171 can be used (51 positive); 1 set aside: │ age: outside 0 to"
        " 120 (1)" in page
    )
    assert "never sent" in page
    assert "ROW" not in page


def test_a_table_that_cannot_be_used_is_said_before_everything_else():
    page = flat(rows=row_count(9172, 0, 0, {"age: not recorded": 9172}))
    assert page.index("NO ROW of your table can be used") < page.index("Who asks")


def test_the_page_shows_what_stood_in_the_rows_that_are_set_aside_and_what_else_the_owner_should_know():
    found = (Found("sex: not one of the declared levels", "m", 12, 3, "would match 'M'"),)
    page = flat(
        rows=row_count(
            20,
            8,
            2,
            {"sex: not one of the declared levels": 12},
            found,
            ("patient_id: 2 of 8 identifiers differ",),
        )
    )
    assert (
        "sex: not one of the declared levels: found 'm' 12 times, first in line 3, would match 'M'"
        in page
    )
    assert "patient_id: 2 of 8 identifiers differ" in page


@pytest.mark.parametrize(
    ("state", "words", "todo"),
    [
        (
            "approved",
            (
                "You approved it. It starts when every hospital has approved and the researcher"
                " runs it; until then it costs nothing."
            ),
            "securefl site withdraw",
        ),
        ("running", "You approved it, and it runs.", "securefl site withdraw"),
        (
            "completed",
            "It is over: you approved it, and it was completed.",
            "nothing is left to decide",
        ),
        ("failed", "It is over: you approved it, and it failed.", "nothing is left to decide"),
        (
            "withdrawn",
            "It is over: you approved it, and withdrew later.",
            "nothing is left to decide",
        ),
        ("refused", "You refused it; that is final", "nothing is left to decide"),
    ],
)
def test_a_request_that_was_decided_says_so_first_and_offers_no_second_decision(state, words, todo):
    page = flat(state=state)
    assert page.index(words) < page.index("Who asks")
    assert todo in page
    for offer in ("The decision is yours", "securefl site approve", "securefl site refuse"):
        assert offer not in page
        assert offer in flat()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_page_fits_the_screen_and_never_exceeds_100_columns(width):
    long = STUDY.model_copy(
        update={"participants": tuple(replace_name(p) for p in STUDY.participants)}
    )
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drawn(rendered(study=long, site="S" * 40)))
    assert max(cell_len(line.rstrip()) for line in console.export_text().splitlines()) <= min(
        width, 100
    )


def replace_name(participant):
    return participant.model_copy(
        update={"name": (participant.name * 40)[:40], "legal_name": "Hospital " * 30}
    )


SPOOF = (
    "[bold green]All checks passed[/]\x1b[2J\x1b[32m\n\nisolation: network blocked; files:"
    " blocked\u202e"
)


def test_a_hostile_text_can_neither_style_nor_forge_the_page():
    fields = dict.fromkeys(
        ("title", "lead", "lay_summary", "ethics_ref", "legal_basis", "purpose"), SPOOF
    )
    study = renamed(**fields)
    column = STUDY.data.columns[0].model_copy(update={"unit": SPOOF})
    study = study.model_copy(
        update={
            "coordinator": STUDY.coordinator.model_copy(
                update={"legal_name": SPOOF, "email": SPOOF}
            ),
            "participants": tuple(
                p.model_copy(update={"legal_name": f"{SPOOF} — {VERIFIED}"})
                for p in STUDY.participants
            ),
            "data": STUDY.data.model_copy(update={"columns": (column, *STUDY.data.columns[1:])}),
        }
    )
    console = Console(
        width=100, force_terminal=True, color_system="truecolor", record=True, file=io.StringIO()
    )
    console.print(
        drawn(
            rendered(
                study=study,
                sender=SPOOF,
                faults=(DataError(SPOOF),),
                rows=row_count(2, 1, 0, {SPOOF: 1}),
                trusted=(),
            )
        )
    )
    out = console.export_text(styles=True, clear=False)
    assert "\x1b[2J" not in out
    assert "\u202e" not in out
    assert "[bold green]" in out
    plain = console.export_text()
    forged = [
        line
        for line in plain.splitlines()
        if line.strip().startswith(("isolation:", "All checks", "– isolation"))
    ]
    assert forged == [line for line in plain.splitlines() if line.startswith(f"  – {ISOLATION}")]


def test_the_control_without_the_care_is_forged():
    console = Console(
        width=100, force_terminal=True, color_system="truecolor", record=True, file=io.StringIO()
    )
    console.print(SPOOF, highlight=False)
    out = console.export_text(styles=True)
    assert "[bold green]" not in out
    assert "\x1b[2J" in out


@settings(max_examples=25)
@given(st.text(max_size=200))
def test_no_title_breaks_the_page(title):
    page = text(study=renamed(title=title, lay_summary=title))
    assert all(c.isprintable() or c == "\n" for c in page)
    assert ISOLATION in page


# --- what is signed: schedule, terms, charges, registration
# ----------------------------------------------------------


def part(section, **fields):
    return STUDY.model_copy(update={section: getattr(STUDY, section).model_copy(update=fields)})


def section_of(page, heading):
    """The lines of a section, up to the next heading."""
    lines = page.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(heading))
    end = next(
        (i for i in range(at + 1, len(lines)) if lines[i] and not lines[i].startswith(" ")),
        len(lines),
    )
    return " ".join(" ".join(lines[at:end]).split())


def test_the_page_says_when_it_runs_and_what_happens_if_nothing_is_decided():
    page = text()
    assert "until 2999-01-01 00:00 UTC, when every hospital has approved." in section_of(
        page, "When it runs"
    )
    asked = section_of(page, "Until when, and whom to ask")
    assert (
        "If you do nothing, the study does not start, at any hospital: nothing runs, nothing leaves"
        " and nothing is charged." in asked
    )
    assert STUDY.study.lead in asked
    assert STUDY.coordinator.email in asked
    assert "Until when" not in text(state="approved")


def test_what_is_enforced_and_what_is_promised_stand_apart():
    out = part(
        "outputs", owner="The State", licence="None at all", notes=("We shall not sell it",)
    ).outputs
    said = section_of(
        text(study=STUDY.model_copy(update={"outputs": out})), "What comes out, and what holds"
    )
    enforced, promised = said.split(
        "Promised by the researcher, and kept by people alone: no program enforces it."
    )
    assert "Enforced by this program:" in enforced
    assert "Spent budget is never given back." in enforced
    assert "lowest acceptable AUC is 0.5" in enforced
    for words in ("The State", "None at all", "We shall not sell it", STUDY.exit.notice):
        assert words in promised
        assert words not in enforced


def test_each_charge_stands_apart_with_its_share_and_its_own_epsilon():
    said = section_of(text(), "What it takes from the budget of clinic")
    costs = dict(zip(("update", "evaluation"), (cost for _, cost in quoted().parts), strict=True))
    for word, purpose in (("training", "update"), ("check of the model", "evaluation")):
        part_of = percent(share(costs[purpose], quoted().cap))
        assert f"{word} {part_of} 1" in said
    assert f"the whole study {percent(quoted().asked_share)} 1" in said


def test_a_study_that_takes_everybody_in_every_step_says_so():
    everybody = with_stage(STUDY, training_of(STUDY), sample_rate=Fraction(1))
    page = flat(study=everybody)
    assert "summed over all of its patients who train." in page
    assert "each on all patients, every time: none is drawn by lot" in page
    assert "random group" not in page
    assert "drawn at random" not in page
    of_rows = part("privacy", unit="record")
    rows = flat(study=with_stage(of_rows, training_of(of_rows), sample_rate=Fraction(1)))
    assert "summed over all of its rows that train." in rows
    assert "random group of patients" in flat()


def test_what_the_owner_did_not_register_stands_behind_a_bar():
    mine = STUDY.data.model_dump(mode="json")
    assert NOT_REGISTERED not in flat(registered=mine)
    mine["columns"] = [c for c in mine["columns"] if c["name"] != "TSH"]
    page = text(registered=mine)
    assert NOT_REGISTERED in page
    assert "  │ TSH (0.005 to 600): you registered no such column" in page.splitlines()


def test_what_the_others_decided_stands_at_the_top_while_it_matters():
    said = "Nord approved. Sued: nothing decided yet."
    assert text(others=said).splitlines()[3] == said
    assert said in flat(others=said, state="approved")
    assert said not in flat(others=said, state="completed")


def test_every_word_of_the_researcher_stands_behind_a_bar():
    """Also column names, levels, the licence, an e-mail, and what a fault repeats of them."""
    mark = "zzmark " * 40
    study = STUDY.model_copy(
        update={
            "study": STUDY.study.model_copy(
                update=dict.fromkeys(
                    ("title", "purpose", "lead", "lay_summary", "ethics_ref", "legal_basis"), mark
                )
            ),
            "outputs": STUDY.outputs.model_copy(
                update={
                    "owner": mark,
                    "licence": mark,
                    "intended_use": mark,
                    "artefacts": (mark,),
                    "notes": (mark,),
                }
            ),
            "exit": STUDY.exit.model_copy(update={"notice": mark}),
            "coordinator": STUDY.coordinator.model_copy(update={"legal_name": mark, "email": mark}),
            "aggregator": STUDY.aggregator.model_copy(update={"legal_name": mark}),
            "participants": tuple(
                p.model_copy(update={"legal_name": mark}) for p in STUDY.participants
            ),
            "data": STUDY.data.model_copy(
                update={
                    "patient": mark,
                    "label": STUDY.data.label.model_copy(
                        update={"column": mark, "positive": (mark,)}
                    ),
                    "columns": tuple(
                        c.model_copy(
                            update={"name": mark, **({"unit": mark} if c.kind == "numeric" else {})}
                        )
                        for c in STUDY.data.columns
                    ),
                }
            ),
        }
    )
    fault = DataError(f"The registered table has no column '{mark}'.", next_step="Rename it.")
    found = (Found(f"{mark}: not a number", "x", 2, 3, ""),)
    rows = row_count(
        20, 8, 2, {f"{mark}: not a number": 12}, found, (f"{mark}: identifiers differ",)
    )
    page = text(80, study=study, faults=[fault], registered={}, rows=rows)
    marked = [line for line in page.splitlines() if "zzmark" in line]
    assert len(marked) > 60
    assert [line for line in marked if "│" not in line.partition("zzmark")[0]] == []
