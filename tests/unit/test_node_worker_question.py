"""Asking a worker without waiting for it, public times, and questions that are answered once."""

import threading

import pytest
from boards import is_there
from checkpoint_hospitals import three_hospitals

from securefl.errors import RoundError, UnreadableError
from securefl.node import answered as answered_module
from securefl.node.answered import Answered
from securefl.node.checkpoints import Question, answer_questions
from securefl.node.public_times import PublicTimes
from securefl.node.worker_question import Asked


def test_who_asks_goes_on_and_takes_the_answer_when_it_is_there():
    go = threading.Event()
    asked = Asked(lambda: go.wait(120) and 7)
    assert not asked.done
    with pytest.raises(RoundError, match="not answered yet"):
        asked.answer()
    go.set()
    asked.join()
    assert asked.done
    assert asked.answer() == 7


def test_an_error_of_the_worker_is_raised_where_the_answer_is_taken():
    def fails():
        raise RoundError("The worker process ended unexpectedly.", whose="this hospital")

    asked = Asked(fails)
    asked.join()
    for _ in range(2):
        with pytest.raises(RoundError, match="ended unexpectedly"):
            asked.answer()


def test_what_misses_a_public_time_waits_for_the_next_one_that_is_not_over():
    times = PublicTimes(100.0, 0.5, settle=3.0)
    assert (times.first, times.due, times.late) == (103.5, 103.5, 0.0)
    times.miss(103.5)
    assert (times.due, times.late) == (104.0, 0.5)
    times.miss(105.2)
    assert (times.due, times.late) == (105.5, 2.0)
    times.miss(105.5)
    assert times.due == 106.0


def test_without_a_step_every_time_is_public():
    times = PublicTimes(100.0, 0.0)
    assert times.due == 100.0
    times.miss(100.3)
    assert times.due == 100.3


def test_answered_questions_are_remembered_by_hospital_and_over_restarts(tmp_path):
    first = Answered(tmp_path)
    assert not first.has("B", "ab" * 32)
    first.add("B", "ab" * 32)
    for memory in (first, Answered(tmp_path)):
        assert memory.has("B", "ab" * 32)
        assert not memory.has("C", "ab" * 32)
        assert not memory.has("B", "cd" * 32)
    assert (tmp_path / "questions" / "B").stat().st_mode & 0o777 == 0o600


def test_a_hospital_that_asks_for_ever_fills_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(answered_module, "MOST", 3)
    memory = Answered(tmp_path)
    for number in range(5):
        memory.add("B", f"{number:064x}")
    assert [memory.has("B", f"{n:064x}") for n in range(5)] == [False, False, True, True, True]
    assert len((tmp_path / "questions" / "B").read_bytes()) == 3 * 65


def test_a_memory_that_cannot_be_read_answers_nothing_and_says_so(tmp_path):
    sites = three_hospitals(tmp_path)
    Question(lambda _: None).turn(sites["A"])
    (sites["B"].path / "questions").mkdir()
    (sites["B"].path / "questions" / "A").mkdir()
    with pytest.raises(UnreadableError, match="cannot be read"):
        Answered(sites["B"].path).has("A", "ab" * 32)
    (line,) = answer_questions(sites["B"], Answered(sites["B"].path))
    assert "questions" in line
    assert not is_there(sites["B"].board, "checkpoints/A/held/B")
