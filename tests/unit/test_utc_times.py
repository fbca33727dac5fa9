"""One form of a time for ledgers, logs, messages and programs, written in one module."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import securefl
from securefl.utc_times import read_time, time_text

PACKAGE = Path(securefl.__file__).parent
FORM = "%Y-%m-%dT%H:%M:%SZ"


@pytest.mark.parametrize("hours", [-11, 0, 5.5, 14])
def test_a_time_of_any_zone_is_written_in_utc_and_read_again(hours):
    zone = timezone(timedelta(hours=hours))
    moment = datetime(2028, 2, 29, 23, 59, 58, 999_999, zone)
    assert read_time(time_text(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    ["2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00+01:00", "2026-02-30T12:00:00Z"],
)
def test_a_time_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match=r"time data|day"):
        read_time(text)


def test_no_other_module_writes_the_form():
    writers = {path.name for path in PACKAGE.rglob("*.py") if FORM in path.read_text("utf-8")}
    assert writers == {"utc_times.py"}
