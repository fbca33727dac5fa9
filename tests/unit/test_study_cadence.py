"""Windows of a study: which they are, how many rounds they take, and a run that keeps to them."""

from datetime import UTC, datetime, timedelta

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.privacy.accounting import PldAccountant
from securefl.researcher.round_pace import RoundPace
from securefl.study.cadence import cadence_sentences, may_begin, next_begin, windows
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_protocol, parse_study

#: A night from Monday to Friday but not before a holiday, one round in each.
NIGHTS = """on_dropout = "fail"

[schedule.cadence]
begin = "22:00"
end = "05:00"
days = ["monday", "tuesday", "wednesday", "thursday", "friday"]
not_on = [2031-03-05]
rounds = 1
"""
MARCH = (
    ("opens = 2026-01-01T00:00:00Z", "opens = 2031-03-01T00:00:00Z"),
    ("closes = 2999-01-01T00:00:00Z", "closes = 2031-04-01T00:00:00Z"),
)


def changed(text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def schedule(cadence=NIGHTS, *changes):
    changes = (*MARCH, ('on_dropout = "fail"\n', cadence), *changes)
    return parse_study(changed(make_study()[0], *changes)).schedule


def at(day, hour, minute=0):
    return datetime(2031, 3, day, hour, minute, tzinfo=UTC)


def test_a_night_begins_on_its_day_and_ends_on_the_next():
    found = list(windows(schedule(), at(1, 5)))
    # 1 and 2 March 2031 are a weekend (Friday's night is over at five), the 5th is a holiday
    assert [(w.begins, w.ends) for w in found[:4]] == [
        (at(3, 22), at(4, 5)),
        (at(4, 22), at(5, 5)),
        (at(6, 22), at(7, 5)),
        (at(7, 22), at(8, 5)),
    ]
    assert found[-1].ends == datetime(2031, 4, 1, tzinfo=UTC), "cut where the study closes"
    assert at(4, 5) not in found[0]
    assert at(4, 4, 59) in found[0]


def test_one_round_a_night():
    plan = schedule()
    assert next_begin(plan, at(3, 23), []) == at(3, 23)
    assert next_begin(plan, at(3, 12), []) == at(3, 22)
    assert next_begin(plan, at(3, 23), [at(3, 22)]) == at(4, 22)
    assert next_begin(plan, at(5, 2), [at(3, 22), at(4, 23)]) == at(6, 22)
    assert next_begin(plan, datetime(2031, 4, 2, tzinfo=UTC), []) is None


def test_without_a_number_as_many_rounds_as_fit():
    plan = schedule(NIGHTS.replace("rounds = 1\n", ""))
    assert next_begin(plan, at(4, 1), [at(3, 22), at(3, 23)]) == at(4, 1)


def test_without_a_cadence_a_round_may_begin_at_any_time():
    plan = schedule('on_dropout = "fail"\n')
    assert next_begin(plan, at(9, 13), [at(9, 12)]) == at(9, 13)
    assert may_begin(plan, at(9, 13), [], timedelta(0))


def test_a_hospital_takes_what_it_sees_in_the_window_or_a_little_later_and_no_second_one():
    plan, grace = schedule(), timedelta(minutes=1)
    assert may_begin(plan, at(3, 22), [], grace)
    assert may_begin(plan, at(4, 5, 0), [], grace)
    assert not may_begin(plan, at(4, 5, 1), [], grace)
    assert not may_begin(plan, at(3, 21, 59), [], grace)
    assert not may_begin(plan, at(4, 1), [at(3, 22)], grace)
    assert may_begin(plan, at(4, 22), [at(3, 22)], grace)


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert 0 < seconds <= 30
        self.now += timedelta(seconds=seconds)


def test_a_run_takes_a_round_a_night_and_says_once_what_it_waits_for():
    clock, begun, told = Clock(at(3, 12)), [], []
    pace = RoundPace(schedule(), lambda: begun, clock, told.append, clock.sleep)
    for _ in range(3):
        pace()
        begun.append(clock.now)
        clock.sleep(10)
    assert begun == told == [at(3, 22), at(4, 22), at(6, 22)]


def test_a_clock_that_is_set_back_in_the_night_gives_no_second_round():
    clock, begun = Clock(at(4, 1)), [at(3, 23)]
    clock.now = at(3, 22, 30)
    pace = RoundPace(schedule(), lambda: begun, clock, lambda _: None, clock.sleep)
    pace()
    assert clock.now == at(4, 22)


def test_a_study_that_closes_before_its_next_night_ends_with_a_reason():
    clock = Clock(datetime(2031, 3, 31, 23, tzinfo=UTC))
    begun = [datetime(2031, 3, 31, 22, tzinfo=UTC)]
    pace = RoundPace(schedule(), lambda: begun, clock, lambda _: None, clock.sleep)
    with pytest.raises(StudyError, match="closes before another of its windows opens"):
        pace()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"22:00"', '"10 pm"', "write the time of day in UTC"),
        ('"22:00"', '"24:00"', "write the time of day in UTC"),
        ('"monday"', '"Montag"', '"Montag" is no day'),
        ('"monday"', '"friday"', "names a day twice"),
        ("2031-03-05", "2031-03-05, 2031-03-05", "names a day twice"),
        ("rounds = 1", "rounds = 0", "greater than or equal to 1"),
        ("2031-03-05", '"5 March"', "date"),
    ],
)
def test_a_wrong_window_is_refused_with_its_line(old, new, what):
    text = changed(protocol_text(), ('on_dropout = "fail"\n', NIGHTS), (old, new))
    with pytest.raises(StudyError) as refused:
        parse_protocol(text)
    assert what in str(refused.value)
    assert "schedule.cadence" in str(refused.value)


def test_windows_that_do_not_take_all_rounds_are_refused_with_both_numbers():
    short = (MARCH[0], ("closes = 2999-01-01T00:00:00Z", "closes = 2031-03-06T00:00:00Z"))
    text = changed(protocol_text(), *short, ('on_dropout = "fail"\n', NIGHTS))
    with pytest.raises(
        StudyError, match=r"room for 3 rounds from opens to closes, and the study has 5"
    ):
        check_consistency(parse_protocol(text), PldAccountant(), text)


def test_the_owner_reads_the_hours_in_a_sentence():
    assert cadence_sentences(schedule().cadence) == [
        "Rounds begin between 22:00 and 05:00 UTC.",
        "Their windows begin on monday, tuesday, wednesday, thursday, friday alone.",
        "No window begins on 2031-03-05.",
        "At most 1 round begins in each of these windows.",
    ]
