"""Two studies are compared field by field; named tables by their names, whatever their order."""

from conftest import make_study

from securefl.study.differences import Difference, differences

FIRST = make_study()[0].encode()


def edited(old, new):
    assert FIRST.count(old) == 1
    return FIRST.replace(old, new)


def test_the_same_study_has_no_differences():
    assert differences(FIRST, FIRST) == ()


def test_a_changed_field_is_named_with_both_values():
    after = edited(b"rounds = 4", b"rounds = 40")
    assert differences(FIRST, after) == (Difference("stages[0].rounds", "4", "40"),)
    assert differences(after, FIRST) == (Difference("stages[0].rounds", "40", "4"),)


def test_a_field_that_is_new_or_gone_has_one_value():
    after = edited(b"rounds = 4\n", b"")
    assert differences(FIRST, after) == (Difference("stages[0].rounds", "4", None),)
    assert differences(after, FIRST) == (Difference("stages[0].rounds", None, "4"),)


def test_a_hospital_that_is_gone_shifts_none_of_the_others():
    head, *tables = FIRST.split(b"[[participants]]")
    after = head + b"".join(b"[[participants]]" + table for table in tables[1:])
    places = {d.place.partition(".")[0] for d in differences(FIRST, after)}
    assert len(places) == 1
    assert places.pop().startswith("participants[")


def test_lists_and_truth_are_said_as_the_file_has_them():
    old, new = b"[a]\nx = [1, true]\n", b"[a]\nx = [1, false]\n"
    assert differences(old, new) == (Difference("a.x", "1, true", "1, false"),)
