"""Sentences on which an owner decides, word for word."""

import doctest
from datetime import UTC, datetime
from decimal import Decimal

from conftest import make_study

from securefl.privacy.explain import explain_epsilon
from securefl.report import codes, terms
from securefl.report.audit_explained import compared_sentence
from securefl.report.audit_page import end_sentence
from securefl.report.audit_population import granted_sentence, incomplete_sentence
from securefl.study.parse import parse_study

STUDY = parse_study(make_study()[0])
OPENS, CLOSES = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 12, 1, 18, 30, tzinfo=UTC)


def changed(section, **fields):
    return STUDY.model_copy(update={section: getattr(STUDY, section).model_copy(update=fields)})


def test_the_examples_hold():
    for module in (codes, terms):
        assert doctest.testmod(module).failed == 0


def test_between_which_times_it_may_start():
    assert (
        terms.open_sentence(OPENS, CLOSES)
        == "It may start from 2026-01-01 00:00 UTC until 2027-12-01 18:30 UTC, when every hospital"
        " has approved."
    )


def test_how_long_a_round_waits_and_when_an_answer_leaves():
    assert terms.round_sentences(60, Decimal("0.20")) == [
        "In each round the researcher waits at most 60 seconds for a hospital.",
        (
            "Your answer leaves 0.2 seconds after a round opens, not when it is ready: its time"
            " tells nothing about your patients."
        ),
    ]


def test_what_a_missing_hospital_does():
    assert (
        terms.dropout_sentence(goes_on=False, hospitals=5, least=5)
        == "If one hospital does not answer in time, the study ends for all. What was charged stays"
        " charged."
    )
    assert (
        terms.dropout_sentence(goes_on=True, hospitals=5, least=4)
        == "If a hospital does not answer in time, the others go on without it, for at most 1"
        " hospital; then the study ends for all. What was charged stays charged."
    )


def test_what_happens_when_nothing_is_decided():
    assert terms.nothing_sentences(CLOSES) == [
        "You can decide until 2027-12-01 18:30 UTC.",
        (
            "If you do nothing, the study does not start, at any hospital: nothing runs, nothing"
            " leaves and nothing is charged."
        ),
    ]


def test_what_the_quality_rule_does_and_does_not():
    assert (
        terms.quality_sentence("AUC", Decimal("0.70"))
        == "The lowest acceptable AUC is 0.7, judged on the lower end of the noised interval; every"
        " hospital is told whether it was met. A model that misses it is released all the same,"
        " and nothing is given back."
    )
    assert (
        terms.quality_sentence("AUC", None)
        == "The study asks for no lowest AUC: the model is released whatever comes out."
    )


def test_who_gets_the_model_and_what_the_program_keeps_of_it():
    assert (
        terms.recipients_sentence(["Nord", "Sued"])
        == "The researcher makes the model and has it. The study names to get it: Nord, Sued. The"
        " program sends it to nobody else."
    )
    assert (
        terms.recipients_sentence([])
        == "The researcher makes the model and has it. The study names nobody else to get it, and"
        " the program sends it to nobody else."
    )


def test_how_a_hospital_leaves():
    assert (
        terms.exit_sentence()
        == "You can leave at any time with `securefl site withdraw`: from then on nothing more is"
        " sent, and the study ends for all. Spent budget is never given back."
    )


def test_what_is_promised_stands_apart_and_says_so():
    assert (
        terms.PROMISED
        == "Promised by the researcher, and kept by people alone: no program enforces it."
    )
    study = changed(
        "outputs",
        owner="The hospitals",
        licence="CC-BY-4.0",
        notes=("Nobody sells it",),
        intended_use="Tests only.",
    )
    assert dict(terms.promises(study)) == {
        "results belong to": "The hospitals",
        "licence": "CC-BY-4.0",
        "intended use": "Tests only.",
        "what comes out": ", ".join(study.outputs.artefacts),
        "further": "Nobody sells it",
        "leaving": study.exit.notice,
    }


def test_the_schedule_of_a_study_as_a_whole():
    said = terms.when_sentences(STUDY)
    assert said[0].startswith("It may start from 2026-01-01 00:00 UTC until ")
    assert said[-1] == terms.dropout_sentence(goes_on=False, hospitals=5, least=5)
    assert terms.when_sentences(changed("schedule", on_dropout="continue"))[-1].startswith(
        "If a hospital does not answer in time, the others go on"
    )


def test_every_public_code_has_words():
    from securefl.errors import PUBLIC_CODES

    said = {code: codes.code_words(code) for code in PUBLIC_CODES}
    assert said["withdrawn"] == "withdrew"
    assert said["not-approved"] == "refused, or its approval does not hold"
    assert all(words != code for code, words in said.items())


# The request's own sentences


def test_what_unverified_hospitals_may_be():
    assert (
        terms.strangers_sentence(3, 5)
        == "3 of 5 hospitals NOT in your list. A researcher could invent hospitals; only those that"
        " you verified can hide your numbers in the total."
    )


def test_what_does_not_leave():
    assert (
        terms.nothing_else_sentence("297.0 kB")
        == "Nothing else about patients: no record, no identifier, no exact count of rows, no figure"
        " without noise. In all 297.0 kB."
    )


def test_what_the_others_see():
    assert (
        terms.seen_sentence()
        == "The others can see whether you approved, and whether your answers came in time."
    )


def test_what_a_study_takes_from_the_budget():
    assert (
        terms.takes_sentence(Decimal("0.3211"))
        == "takes 33 % of the whole budget, charged for all it may do before any data is touched"
    )


def test_what_the_machine_enforces():
    assert terms.machine_sentences() == [
        (
            "Only this study runs, unchanged: the approval names its digest. It brings no program"
            " code of its own."
        ),
        "The budget is reserved before data is touched; without room the study does not start.",
    ]


def test_what_an_epsilon_means():
    told = (
        "Whoever studies {} can raise a coin-flip guess whether one patient's record was used from"
        " 50 % to at most 73 %, but for a chance of 1 in 100,000."
    )
    one, chance = Decimal(1), Decimal("1e-5")
    assert explain_epsilon(one, chance) == told.format("the result")
    granted = "all that is ever released under it"
    assert explain_epsilon(one, chance, of=granted) == told.format(granted)


# The audit's own sentences


def test_what_a_ledger_that_does_not_hold_shows():
    assert (
        incomplete_sentence(29)
        == "Incomplete: the ledger does not hold. This shows only its 29 events that are unbroken"
        " and signed."
    )


def test_what_a_budget_is_for():
    assert (
        granted_sentence("4", "0.00001")
        == "epsilon 4 at delta 0.00001, for all studies of all researchers together. It never renews"
        " by itself."
    )


def test_what_the_end_of_a_ledger_was_compared_with():
    assert (
        end_sentence(None)
        == "No checkpoint of another party was compared, so events missing at the very end would not"
        " show."
    )
    assert (
        end_sentence(40)
        == "It contains the past that a checkpoint held elsewhere knows (40 events)."
    )
    assert (
        compared_sentence(None)
        == "It was not compared with a checkpoint. An end that was cut off, or a whole ledger"
        " written anew with the hospital's own key, shows only against one that others hold."
    )
    assert (
        compared_sentence(40)
        == "It was compared with a checkpoint that another party holds, of 40 events."
    )


def test_the_agreement_that_a_study_names():
    named = STUDY.model_copy(update={"agreement": "ab" * 32})
    said = (
        "It is made under the agreement of a consortium (abababababab). A hospital that is bound"
        " by it holds the study to its articles; what goes beyond one stands among the faults."
    )
    assert said in terms.enforced_sentences(named)
    assert said not in terms.enforced_sentences(STUDY)
