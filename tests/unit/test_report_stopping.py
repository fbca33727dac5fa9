"""What an owner reads before a study is left or everything is paused, word for word."""

from decimal import Decimal

from securefl.report.stopping import leaving_sentences, pausing_sentence


def leaving(**changed):
    given = {
        "begun": True,
        "sent": 5,
        "rounds": 8,
        "population": "clinic",
        "share": Decimal("0.29"),
        "others": ("SVHC", "SVI"),
    }
    return leaving_sentences(**(given | changed))


def test_leaving_a_study_that_runs():
    assert leaving() == [
        "29 % of the budget of clinic stays spent, whatever the study has come to.",
        "Answers up to round 5 of 8 have left and cannot be called back.",
        "The study ends for 2 other hospitals too (SVHC, SVI): what they spent stays spent.",
        "It cannot be undone: the same study is not approved a second time.",
    ]


def test_leaving_before_the_first_round_costs_nothing():
    assert leaving(begun=False, sent=0, others=("SVI",))[:3] == [
        (
            "No round has begun, so nothing is charged: what was reserved of the budget of clinic"
            " (29 %) is free again."
        ),
        "Nothing has left this hospital.",
        "The study ends for 1 other hospital too (SVI).",
    ]


def test_leaving_after_the_start_and_before_an_answer_is_charged_all_the_same():
    assert leaving(sent=0)[:2] == [
        "29 % of the budget of clinic stays spent, whatever the study has come to.",
        "Nothing has left this hospital.",
    ]


def test_a_pause_means_another_thing_for_each_kind_of_study():
    assert pausing_sentence("a", begun=False, goes_on=True) == "a does not start while you pause."
    assert pausing_sentence("a", begun=True, goes_on=False) == (
        "a fails at its next deadline, for all hospitals; what was charged stays charged."
    )
    assert pausing_sentence("a", begun=True, goes_on=True) == (
        "a goes on without you once you miss a deadline, while enough are left; you do not come"
        " back into it."
    )
