"""A ledger put back to before a study with B and C; the next study is with D and E, who hold
nothing of it.

The control is an agent that listens to the next study's participants only: it starts, and the used
approval starts again.
"""

import shutil

import checkpoint_hospitals
import pytest
from checkpoint_hospitals import approved, three_hospitals
from click.testing import CliRunner
from ledger_site import digest

from securefl.cli.main import cli
from securefl.errors import LedgerAlteredError
from securefl.node import checkpoints
from securefl.node.answered import Answered
from securefl.node.checkpoints import Question, answer_questions, collect, hand_out
from securefl.node.site import Site

FIRST, NEXT = ("A", "B", "C"), ("A", "D", "E")


@pytest.fixture
def five(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_hospitals, "NAMES", ("A", "B", "C", "D", "E"))
    return three_hospitals(tmp_path)


def rolled_back(sites, tmp_path, before=lambda site: None):
    """A's folder as it was before the study with B and C started, all notes included."""
    before(sites["A"])
    sites["A"].ledger.close()
    shutil.copytree(tmp_path / "A", tmp_path / "backup")
    site = Site.at(tmp_path / "A")
    if not site.ledger.state.studies:
        approved(site)
    site.ledger.start(digest(1))
    hand_out(site, digest(1), FIRST)
    for name in ("B", "C"):
        assert collect(sites[name], digest(1), FIRST) == []
    site.ledger.close()
    shutil.rmtree(tmp_path / "A")
    shutil.copytree(tmp_path / "backup", tmp_path / "A")
    return Site.at(tmp_path / "A")


def asked(site, sites, *names, lines=None):
    question = Question(lambda line: None if lines is None else lines.append(line))
    question.turn(site)
    for name in names:
        answer_questions(sites[name], Answered(sites[name].path))
    question.turn(site)
    return question


@pytest.mark.parametrize(
    "before", [approved, lambda site: None], ids=["approved in the backup", "unknown to the backup"]
)
@pytest.mark.parametrize("holder", ["B", "C"])
def test_other_partners_are_not_enough_for_a_ledger_that_went_back(five, tmp_path, before, holder):
    back, lines = rolled_back(five, tmp_path, before), []
    question = asked(back, five, "D", "E", lines=lines)
    assert not question.agreed(back, NEXT)
    assert [n for n in ("B", "C") if any(n in line for line in lines)] == ["B", "C"]
    assert "--without" in lines[-1]
    with pytest.raises(LedgerAlteredError, match=f"{holder} holds a checkpoint"):
        asked(back, five, "D", "E", holder)


def test_control_an_agent_that_hears_the_next_participants_only_starts_what_was_used(
    five, tmp_path, monkeypatch
):
    back = rolled_back(five, tmp_path, approved)
    monkeypatch.setattr(
        checkpoints,
        "still_silent",
        lambda _listed, _known, heard, _excused, cohort: (sorted(set(cohort) - heard), []),
    )
    assert asked(back, five, "D", "E").agreed(back, NEXT)
    back.ledger.start(digest(1))
    assert back.ledger.state.studies[digest(1)].status == "running"


def test_a_hospital_that_was_handed_a_checkpoint_is_waited_for_whoever_takes_part(five):
    site, lines = five["A"], []
    hand_out(site, digest(1), ("A", "B"))
    question = asked(site, five, "C", "D", "E", lines=lines)
    assert not question.agreed(site, NEXT)
    assert lines == [
        (
            "waiting for B to say which checkpoint of this hospital's ledger it holds; it may hold one"
            " from an earlier study. If it is gone for good: securefl site checkpoint B --without"
        )
    ]
    assert asked(site, five, "B", "D", "E").agreed(
        site, NEXT
    )  # of C nothing is known: one may be silent


def test_a_hospital_that_has_answered_before_is_a_holder_from_then_on(five):
    site = five["A"]
    hand_out(site, digest(1), ("A", "B"))
    collect(five["B"], digest(1), ("A", "B"))
    assert asked(site, five, "B", "D", "E").agreed(site, NEXT)
    shutil.rmtree(site.path / "checkpoints" / "handed")
    assert not asked(site, five, "C", "D", "E").agreed(site, NEXT)


def test_the_owner_excuses_a_silent_hospital_by_a_named_command_until_it_is_heard(five):
    site = five["A"]
    hand_out(site, digest(1), ("A", "B", "D"))
    command = ["site", "checkpoint", "B", "--without", "--site", str(site.path)]
    done = CliRunner().invoke(cli, command)
    assert "nobody can be asked here" in str(done.exception)
    words = " ".join(done.output.split())
    for part in (
        "waits for B to say",
        "events of your own ledger 3",
        "ever put back from a backup",
        "do not go on, but telephone B",
    ):
        assert part in words
    assert not asked(site, five, "C", "D", "E").agreed(site, NEXT)
    assert CliRunner().invoke(cli, [*command, "--yes"]).exit_code == 0
    assert asked(site, five, "C", "D", "E").agreed(site, NEXT)
    assert not asked(site, five, "C", "D", "E").agreed(
        site, ("A", "B", "D")
    )  # a participant is waited for all the same
    assert asked(site, five, "B", "C", "D", "E").agreed(site, NEXT)
    assert not asked(site, five, "C", "D", "E").agreed(
        site, NEXT
    )  # heard again, so waited for again
    wrong = CliRunner().invoke(
        cli, ["site", "checkpoint", "X", "--without", "--site", str(site.path)]
    )
    assert "X is not among the hospitals on your list" in str(wrong.exception)
