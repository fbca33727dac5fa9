from decimal import Decimal

from securefl.report.quality import quality_words
from securefl.report.status import BudgetLine, StudyLine, site_status
from securefl.report.terminal import plain_text


def status(width=80, **changed):
    values = {
        "site": "SVI",
        "running": True,
        "paused": False,
        "datasets": [("thyroid", "referrals")],
        "budgets": [BudgetLine("referrals", Decimal("0.3132"), 2)],
        "studies": [StudyLine("thyroid-abcdefabcdef", "running", 7, 40)],
    }
    return plain_text(site_status(**(values | changed)), width)


def test_the_status_says_how_the_hospital_stands():
    page = status()
    for part in (
        "running",
        "thyroid",
        "patients of referrals",
        "32 % of the budget used; room for 2 more studies like this.",
        "7 of 40",
    ):
        assert part in page


def test_a_hospital_that_is_stopped_or_paused_says_how_to_go_on():
    assert "not running; `securefl site start` starts it" in status(running=False)
    assert "paused by its owner" in status(paused=True)
    assert "not running" in status(paused=True, running=False)


def test_what_needs_the_owner_is_counted():
    page = status(waiting=1, late_replies=3, quarantined=2)
    assert "1 request for your decision" in page
    assert "3" in page
    assert "2 messages did not pass the checks" in page


def test_what_nobody_counted_is_not_shown_as_nought():
    assert "late replies" not in status()
    assert "late replies  0" in status(late_replies=0)


def test_rows_set_aside_are_shown_to_their_owner():
    counts = {
        "rows": 5496,
        "kept": 5493,
        "training": 3863,
        "held_out": 1630,
        "set_aside": {"age: outside 0 to 120": 3},
    }
    words = " ".join(status(rows=[("thyroid-abc", counts)]).split())
    assert (
        "5,493 of 5,496 rows used, 3,863 to train and 1,630 to check. │ 3 set aside (age: outside 0"
        " to 120)" in words
    )
    assert "set aside" not in status()
    assert "cut" not in words
    cut = " ".join(
        status(rows=[("thyroid-abc", {**counts, "clamped": 6, "clamped_rounds": 2})]).split()
    )
    assert "In 2 rounds 6 values of its noised sums did not fit the study's fields: the" in cut


def test_an_empty_hospital_is_told_the_next_commands():
    page = status(datasets=[], budgets=[], studies=[])
    assert "securefl site data add" in page
    assert "securefl site budget set" in page
    assert "None was approved yet." in page


def test_a_study_that_has_not_begun_has_no_round():
    assert "none yet" in status(studies=[StudyLine("x-0", "approved", 0, 40)])


def test_plain_tuples_do_and_hostile_names_stay_literal():
    page = status(studies=[("[red]x[/]\x1b[2J", "running", 1, 2)], budgets=[("p", Decimal(1), 0)])
    assert "[red]x[/]<U+001B>[2J" in page
    assert "no room for another study" in page


def test_how_the_coordinator_judged_the_quality_rule_stands_under_the_studies():
    judged = StudyLine("x-0", "completed", 41, 41, None, quality_words("not-met", Decimal("0.9")))
    words = " ".join(status(studies=[judged]).split())
    assert (
        "x-0: the quality asked for, at least 0.9: NOT met; the whole interval lies below (signed by"
        " the coordinator)." in words
    )
    assert "asked for" not in status(studies=[StudyLine("x-0", "completed", 41, 41)])


def test_words_that_may_be_a_researchers_stand_behind_a_bar():
    mark = "zzmark " * 40
    counts = {
        "rows": 9,
        "kept": 5,
        "training": 3,
        "held_out": 2,
        "set_aside": {f"{mark}: not a number": 4},
    }
    page = status(
        studies=[StudyLine("s-1", "failed", 1, 4, f"The table has no column '{mark}'.")],
        rows=[("s-1", counts)],
    )
    marked = [line for line in page.splitlines() if "zzmark" in line]
    assert len(marked) > 6
    assert [line for line in marked if "│" not in line.partition("zzmark")[0]] == []


def test_a_store_that_cannot_be_reached_is_said_since_when_and_its_words_stand_behind_a_bar():
    page = status(store_away=("2026-11-28T17:09:31Z", "cannot be read: zzmark"))
    assert "store      unreachable since 2026-11-28 17:09 UTC; the agent goes on trying" in page
    assert [line for line in page.splitlines() if "zzmark" in line] == ["│ cannot be read: zzmark"]
    assert "store" not in status()


def test_the_end_of_the_last_agent_is_said_with_its_reason():
    page = status(running=False, ended=("2026-11-28T17:09:31Z", "B holds a checkpoint: zzmark"))
    assert "The last agent ended at 2026-11-28 17:09 UTC:\n│ B holds a checkpoint: zzmark" in page
    assert "The last agent ended without a word:" in status(
        running=False, ended=("", "it was killed")
    )
    assert "ended" not in status(running=False)
