"""A clock years ahead: 'now it may not' did not say what now is here."""

from datetime import UTC, datetime, timedelta

import pytest
from conftest import make_study

from securefl.errors import StudyError
from securefl.node.policy import _check_schedule
from securefl.study.dates import time_here
from securefl.study.parse import parse_study

STUDY = parse_study(make_study()[0])


@pytest.mark.parametrize(
    "now", [datetime(3001, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)]
)
def test_a_refusal_by_time_says_what_time_it_is_here(now):
    with pytest.raises(
        StudyError, match=f"by this machine's clock it is {now:%Y-%m-%d} 04:05:06 UTC"
    ) as caught:
        _check_schedule(STUDY, now)
    assert "2026-01-01 00:00 to 2999-01-01 00:00 UTC" in caught.value.what
    assert "Compare this machine's clock" in caught.value.next_step
    assert "operator" in caught.value.whose


def test_within_its_time_nothing_is_said():
    _check_schedule(STUDY, STUDY.schedule.opens + timedelta(seconds=1))
    assert time_here(STUDY.schedule.opens).endswith("2026-01-01 00:00:00 UTC")
