"""Article 13 at a hospital: nothing is approved before its owner has looked, nor what looks wrong.

Controls: the same request where the article does not stand, or after an honest look, is approved.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from agreed_consortium import AgreedConsortium
from consortium import NAMES

from securefl.errors import StudyError
from securefl.node import decisions, table_looks
from securefl.node.owner.pages import readiness_kinds
from securefl.node.owner.readiness import forget_looks, keep_shown, readiness
from securefl.node.policy import review_again
from securefl.sources.csv import CsvSource

ME, OTHER, _ = NAMES
READY = ("# [readiness]\n# tolerated =", "[readiness]\ntolerated =")
#: All but the columns themselves: invented tables are small, and have gaps and double rows.
LOOSE = ('["gaps", "doubles", "change"]', '["rows", "gaps", "texts", "range", "doubles", "change"]')


@pytest.fixture
def c(tmp_path):
    made = AgreedConsortium(tmp_path, READY, LOOSE)
    made.agree()
    return made


def look(c, study, name=ME):
    """The owner's look at the table beside the request's columns; what it showed."""
    site = c.site(name)
    try:
        found = readiness(site, study.sealed.study.data.dataset, study.sealed.text)
        keep_shown(site, found, readiness_kinds(found))
        return readiness_kinds(found)
    finally:
        site.ledger.close()


def whats(c, study, name=ME):
    site, found = c.review(name, study)
    site.ledger.close()
    return [fault.what for fault in found.faults]


def table_file(c, name=ME):
    site = c.site(name)
    site.ledger.close()
    (entry,) = site.settings.datasets
    return site.path / entry.path


def test_nothing_is_approved_before_the_owner_looked(c):
    study = c.agreed_study("unseen")
    (refused,) = whats(c, study)
    assert "Article 13, before approval" in refused
    assert "was not looked at" in refused
    with pytest.raises(StudyError, match="Article 13") as caught:
        c.approve(ME, study)
    assert caught.value.whose == "the data owner"
    assert c.state(ME, study) is None
    assert "columns" not in look(c, study)
    assert whats(c, study) == []  # control: after the look
    c.approve(ME, study)
    assert c.state(ME, study) is not None


def test_a_table_that_was_changed_after_the_look_is_looked_at_again(c):
    study = c.agreed_study("swapped")
    look(c, study)
    assert whats(c, study) == []  # control
    file = table_file(c)
    file.write_bytes(file.read_bytes() + b"\n")
    (refused,) = whats(c, study)
    assert "as it is now was not looked at" in refused


def test_a_look_at_other_columns_or_one_that_showed_trouble_does_not_count(c):
    study = c.agreed_study("troubled")
    site = c.site(ME)
    found = readiness(site, "records", study.sealed.text)
    other = found.spec.model_copy(update={"columns": found.spec.columns[1:]})
    table_looks.keep_outcome(site, found.state, other, found.unit, ())
    site.ledger.close()
    assert "was not looked at" in whats(c, study)[0]
    site = c.site(ME)
    keep_shown(site, found, {"gaps", "unit"})
    site.ledger.close()
    (refused,) = whats(c, study)
    assert refused.endswith("is not ready: numbers that look like another unit.")
    site = c.site(ME)
    keep_shown(site, found, {"gaps"})  # control: only what is tolerated
    site.ledger.close()
    assert whats(c, study) == []


def test_what_was_kept_of_a_look_is_no_excuse_once_it_is_damaged_or_gone(c):
    study = c.agreed_study("damaged")
    look(c, study)
    (file,) = (c.root / ME / "private" / "looks").iterdir()
    good = file.read_bytes()
    for bad in (b"", b"rubbish", b'{"looks": 1}', b"x" * 100_000):
        file.write_bytes(bad)
        assert "was not looked at" in whats(c, study)[0]
    file.write_bytes(good)
    assert whats(c, study) == []  # control
    site = c.site(ME)
    forget_looks(site, "records")
    site.ledger.close()
    assert "was not looked at" in whats(c, study)[0]


def test_an_approval_reads_no_row_so_its_time_says_nothing_of_the_table(c, monkeypatch):
    study = c.agreed_study("timed")
    read = []

    def opened(source):
        read.append(source)
        return open_table(source)

    open_table = CsvSource.open
    monkeypatch.setattr(CsvSource, "open", opened)
    look(c, study)
    assert read  # control: the look itself reads
    read.clear()
    site, found = c.review(ME, study)
    decisions.approve(site, found)
    assert read == []
    # once approved, the table may change: the study's own preparation reads it
    file = table_file(c)
    time.sleep(0.01)
    file.write_bytes(file.read_bytes() + b"\n")
    again = review_again(site, study.sealed, datetime.now(UTC))
    assert not [fault for fault in again.faults if "Article 13" in fault.what]
    site.ledger.close()
