"""Which of a folder's studies is meant, where nobody says."""

from types import SimpleNamespace

import pytest

from securefl.errors import UsageError
from securefl.party import rounds_view
from securefl.study.study_id import StudyId


def one(over, name=""):
    """``over``: study → rounds of it that are over."""
    studies = [StudyId(*short.rsplit("-", 1)) for short in over]

    def view(study):
        return SimpleNamespace(name=study.name, last_over=lambda: over[study.name])

    return rounds_view.choose_view(studies, name, view).name


def test_the_only_study_with_rounds_that_are_over_is_meant():
    assert one({"first-1": 0, "first-2": 7, "second-3": 0}) == "first-2"
    assert one({"first-1": 0, "first-2": 7, "second-3": 9}, "first") == "first-2"


def test_a_name_that_fits_one_is_enough_whatever_is_over():
    assert one({"first-1": 0, "second-3": 9}, "first") == "first-1"
    assert one({"first-1": 0}) == "first-1"


@pytest.mark.parametrize(
    ("over", "name", "said"),
    [
        ({}, "", "There is no study here yet"),
        ({"a-1": 3}, "b", "No study here fits 'b'. There are: a-1"),
        ({"a-1": 3, "b-1": 3}, "", "There are several studies here: a-1, b-1"),
        ({"a-1": 0, "a-2": 0, "b-1": 0}, "a", "There are several studies here: a-1, a-2"),
    ],
)
def test_otherwise_the_studies_are_named(over, name, said):
    with pytest.raises(UsageError) as refused:
        one(over, name)
    assert said in refused.value.what
