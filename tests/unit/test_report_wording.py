"""Pages of a study of banks: none speaks of hospitals or patients."""

import re
from pathlib import Path

import pytest
from conftest import SITES, make_study
from every_page import DIGEST, NAMES, built, outcome, own_model, request
from worker_isolation import WALLED

from securefl.cli.nouns import speak, spoken
from securefl.demo.protocols import demonstration
from securefl.errors import DataError
from securefl.learning.stages.programme import charges_of
from securefl.party.nouns import nouns_of
from securefl.report.errors import error_page
from securefl.report.html import html_page
from securefl.report.page import Code, Outside, Quoted, Span, Tone, page, section
from securefl.report.plan import plan_page, plan_study
from securefl.report.request import request_page
from securefl.report.study import study_page, study_words
from securefl.report.terminal import plain_text
from securefl.report.wording import in_words
from securefl.study.parse import parse_study
from securefl.study.words import Words

BANKS = Words(participant="bank", subject="customer")
OURS = re.compile(r"hospital|patient", re.IGNORECASE)
#: A table's column and a command are called the same whoever takes part.
NAMES_AS_THEY_ARE = re.compile(r"\bpatient_id\b|\bsecurefl site patient remove\b")
FRAUD = demonstration("fraud").study
#: A sealed study of banks; its parties' invented names say nothing of hospitals.
TEXT = (
    make_study()[0]
    .replace("[code]\n", '[words]\nparticipant = "bank"\nsubject = "customer"\n\n[code]\n', 1)
    .replace("Hospitals train one model.", "Banks train one model.")
    .replace('owner = "The hospitals"', 'owner = "The banks"')
    .replace("patient_id", "customer_id")
)
STUDY = parse_study(TEXT)


def found(shown):
    """Lines of a page, in the terminal and as HTML without its style, that speak of hospitals."""
    body = html_page(shown).partition("<body")[2]
    text = re.sub(r"<[^>]*>", " ", body)
    lines = [*plain_text(shown, 100).splitlines(), *text.splitlines()]
    return [line.strip() for line in lines if OURS.search(line)]


def test_the_search_finds_what_it_looks_for():
    assert found(study_page(parse_study(make_study()[0]), "0" * 64))


def test_a_study_and_its_readme_speak_of_banks():
    assert not found(study_page(FRAUD))
    assert not found(study_page(STUDY, "0" * 64))
    assert not OURS.search(study_words(FRAUD))
    assert "bank" in study_words(FRAUD)


def test_a_request_speaks_of_banks_with_its_faults_and_says_so():
    faults = (
        DataError("This hospital has no such column."),
        DataError("First.\nThe patients of the hospital."),
    )
    shown = request_page(
        STUDY,
        DIGEST,
        site="SVI",
        sender="Researcher@securefl.invalid",
        quote=None,
        trusted=(*SITES, "Researcher"),
        faults=faults,
        isolation=WALLED,
        others="Nord approved.",
    )
    assert not found(shown)
    told = plain_text(shown, 100)
    assert "This bank has no such column." in told
    assert re.search(r"calls who takes part +│ bank", told)
    assert "calls who takes part" not in plain_text(request(), 100)


def test_a_plan_speaks_of_banks():
    plan = plan_page(plan_study(FRAUD, charges_of(FRAUD)))
    assert found(plan)
    assert not found(in_words(plan, FRAUD.words))


def test_what_the_check_found_is_said_of_customers():
    for shown in (outcome(), own_model()):
        assert found(shown)
        assert not found(in_words(shown, BANKS))


@pytest.mark.parametrize("name", NAMES)
def test_every_page_can_be_said_of_banks(name):
    before, after = built(name), in_words(built(name), BANKS)
    told = plain_text(after, 5000)
    assert len(told) > 40
    # what is left are names, and another party's words
    left = [line for line in told.splitlines() if OURS.search(NAMES_AS_THEY_ARE.sub("", line))]
    theirs = ("│", "St Vincent's, inpatients", "Designed study: ")
    assert all(any(mark in line for mark in theirs) for line in left), left
    assert html_page(after).count("<") == html_page(before).count("<")


def test_an_error_is_said_in_the_studys_nouns():
    error = DataError("A hospital is missing.", whose="the hospital", next_step="Ask the patients.")
    assert not found(error_page(error, BANKS))
    assert found(error_page(error))


def test_words_of_others_names_and_commands_stay():
    shown = page(
        "hospital",
        Quoted("our hospital"),
        (Outside("St. Patient Hospital"), " is a hospital; ", Code("patient")),
        section(("of ", Span("patients", Tone.BAD)), "x"),
    )
    assert plain_text(in_words(shown, BANKS), 80).split() == (
        plain_text(shown, 80)
        .replace("hospital\n════════", "bank\n════")
        .replace("is a hospital", "is a bank")
        .replace("of patients", "of customers")
        .split()
    )


@pytest.fixture
def nouns():
    yield
    speak(None)


@pytest.mark.usefixtures("nouns")
def test_a_folder_speaks_as_all_of_its_studies_do(tmp_path):
    def keep(name, text):
        folder = Path(tmp_path) / "studies" / name
        folder.mkdir(parents=True)
        (folder / "study.toml").write_text(text)

    assert nouns_of(tmp_path).usual
    keep("a", TEXT)
    assert nouns_of(tmp_path) == BANKS
    (tmp_path / "studies" / "empty").mkdir()
    assert nouns_of(tmp_path) == BANKS
    keep("b", make_study()[0])
    assert nouns_of(tmp_path).usual
    speak(nouns_of(tmp_path))
    assert spoken().usual
