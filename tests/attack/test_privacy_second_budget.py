"""The same patients under another name of a population would have a second budget.

The control compares tables by their bytes only.
"""

import hashlib
import random

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import protocol_text

from securefl.cli.main import cli
from securefl.errors import DataError, UnreadableError, UsageError
from securefl.learning import patient_hashes
from securefl.learning.patient_hashes import Patients
from securefl.node import patients as module
from securefl.node.owner import data as owner_data
from securefl.node.patients import keep_patients
from securefl.node.site import Site
from securefl.sources.csv import CsvSource

HEADER = "patient_id,age,rate,sex,smoker,target"


def rows(first, count, age=40):
    return [f"p{n},{age + n % 30},{n % 9 + 1},F,t,-" for n in range(first, first + count)]


@pytest.fixture
def place(tmp_path):
    site = Site.init(
        tmp_path / "A",
        name="A",
        legal_name="Hospital",
        email="a@example.org",
        store=str(tmp_path / "store"),
    )
    site.ledger.close()
    (tmp_path / "columns.toml").write_text(protocol_text())
    assert add(tmp_path, "first", rows(0, 200), "clinic").exit_code == 0
    return tmp_path


def add(place, name, lines, population, *more, header=HEADER):
    file = place / f"{name}.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    columns = str(place / "columns.toml")
    return CliRunner().invoke(
        cli,
        [
            "site",
            "data",
            "add",
            name,
            str(file),
            "--population",
            population,
            "--columns",
            columns,
            "--site",
            str(place / "A"),
            *more,
        ],
    )


def said(done):
    return " ".join(done.output.split())


def registered(place):
    site = Site.at(place / "A")
    try:
        return {name: event.population for name, event in site.ledger.state.datasets.items()}
    finally:
        site.ledger.close()


def another_order():
    lines = rows(0, 200)
    random.Random(1).shuffle(lines)
    return lines


CHANGED = {
    "another order of rows": (another_order(), HEADER, "100 %"),
    "a changed cell": ([rows(0, 1, age=41)[0], *rows(0, 200)[1:]], HEADER, "100 %"),
    "a column more": ([f"{line},x" for line in rows(0, 200)], f"{HEADER},note", "100 %"),
    "sixty in a hundred": (rows(80, 200), HEADER, "60 %"),
    "one in two": (rows(100, 200), HEADER, "50 %"),
    "a few of them": (rows(0, 20), HEADER, "100 %"),
}


@pytest.mark.parametrize(("lines", "header", "share"), CHANGED.values(), ids=CHANGED)
def test_a_table_of_mostly_the_same_patients_gets_no_second_budget(place, lines, header, share):
    done = add(place, "second", lines, "ward", "--yes", header=header)
    assert isinstance(done.exception, UsageError)
    assert f"Of the patients of this table, {share} are those of 'clinic'" in done.exception.what
    assert "--population clinic" in done.exception.next_step
    assert registered(place) == {"first": "clinic"}
    assert (
        add(place, "second", lines, "clinic", header=header).exit_code == 0
    )  # from the same budget it is welcome


def test_control_by_its_bytes_the_same_table_in_another_order_is_another_one(place, monkeypatch):
    for asked in (module, owner_data):
        monkeypatch.setattr(asked, "overlaps", lambda *_: ())
    assert add(place, "second", another_order(), "ward").exit_code == 0
    assert registered(place) == {"first": "clinic", "second": "ward"}


def test_fewer_common_patients_are_asked_about_with_their_share(place):
    lines = rows(160, 200)
    done = add(place, "second", lines, "ward")
    assert "nobody can be asked here" in str(done.exception)
    assert "Of the patients of this table, 20 % are those of 'clinic' too" in said(done)
    assert registered(place) == {"first": "clinic"}
    assert add(place, "second", lines, "ward", "--yes").exit_code == 0


def test_a_register_within_a_hospitals_whole_table_gets_no_second_budget(place):
    """They are 1 % of the whole table, and all that the register has."""
    done = add(place, "whole", rows(0, 20_000), "everybody", "--yes")
    assert isinstance(done.exception, UsageError)
    assert "Of the patients of 'clinic', 100 % are in this table" in done.exception.what
    assert registered(place) == {"first": "clinic"}


def test_a_tenth_of_a_register_within_a_large_table_is_asked_about(place):
    lines = rows(180, 20_000)
    done = add(place, "whole", lines, "everybody")
    assert "Of the patients of 'clinic', 10 % are in this table too" in said(done)
    assert registered(place) == {"first": "clinic"}
    assert add(place, "whole", lines, "everybody", "--yes").exit_code == 0


def test_control_by_the_share_of_the_new_table_alone_a_register_is_not_seen(place):
    register, whole = many(0, 200), many(0, 60_000)
    assert whole.share_in(register)[0] < module.ASKED
    assert register.share_in(whole) == (1.0, True)


def test_other_patients_are_registered_without_a_word(place):
    done = add(place, "second", rows(1000, 200), "ward")
    assert done.exit_code == 0
    assert "clinic" not in said(done)


def test_patients_of_an_earlier_table_are_remembered_when_another_file_takes_its_name(place):
    assert add(place, "first", rows(5000, 50), "clinic", "--yes").exit_code == 0
    assert isinstance(add(place, "second", rows(0, 200), "ward", "--yes").exception, UsageError)


def swapped(place):
    """The file of 'second' has the patients of 'first' now: what a study's worker says of it."""
    assert add(place, "second", rows(5000, 200), "ward").exit_code == 0
    file = place / "second.csv"
    file.write_text("\n".join([HEADER, *another_order()]) + "\n")
    site = Site.at(place / "A")
    found = module.patients_of(site, CsvSource(file), "patient_id")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    comparison = module.TableComparison.of(site, "second")
    return comparison, {"sha256": sha256, "patients": found.dump().hex()}


def test_a_file_that_is_swapped_after_its_registration_gives_nobody_a_second_budget(place):
    comparison, said = swapped(place)
    with pytest.raises(DataError, match="this table, 100 % are those of 'clinic', and"):
        comparison(said)


def test_control_compared_at_the_registration_only_the_swapped_file_is_taken(place, monkeypatch):
    comparison, said = swapped(place)
    monkeypatch.setattr(module, "overlaps", lambda *_: ())
    comparison(said)


def test_nothing_of_the_hashes_is_anywhere_but_in_their_file(place):
    folder = place / "A"
    file = folder / "patients" / "clinic"
    assert file.stat().st_mode & 0o077 == 0
    hashes = np.frombuffer(file.read_bytes(), "<u8")[1:]
    assert len(hashes) == 200
    site = Site.at(folder)
    texts = [
        site.ledger.checkpoint(),
        *(
            p.read_bytes()
            for p in [*folder.rglob("*"), *(place / "store").rglob("*")]
            if p.is_file() and p != file
        ),
    ]
    for value in hashes[:50].tolist():
        for form in (
            value.to_bytes(8, "little"),
            value.to_bytes(8, "big"),
            f"{value:016x}".encode(),
            str(value).encode(),
        ):
            assert not any(form in text for text in texts)
    other = Site.init(
        place / "B", name="B", legal_name="H", email="b@example.org", store=str(place / "store")
    )
    found = module.patients_of(other, CsvSource(place / "first.csv"), "patient_id")
    assert not set(found.hashes.tolist()) & set(
        hashes.tolist()
    )  # another hospital's hashes of the same people are others


def many(first, count):
    """Hashes as of so many patients: spread evenly over all values, and the same for the same
    patient.
    """
    values = np.unique(
        np.random.default_rng(7).permutation(400_000).astype(np.uint64)[first : first + count]
        * np.uint64(46_000_000_000_000)
    )
    return patient_hashes._smallest(values, patient_hashes._LAST)


def test_of_more_patients_than_are_kept_a_sample_tells_the_share():
    large, other, inside = many(0, 200_000), many(120_000, 200_000), many(0, 100_000)
    assert len(large.hashes) == patient_hashes.MOST
    share, exact = other.share_in(large)
    assert abs(share - 0.4) < 0.02
    assert not exact
    assert inside.share_in(large)[0] == 1.0
    assert many(200_000, 100_000).share_in(large)[0] == 0.0
    both = large.joined(other)
    assert len(both.hashes) == patient_hashes.MOST
    assert large.share_in(both)[0] == other.share_in(both)[0] == 1.0
    assert Patients(np.empty(0, np.uint64), patient_hashes._LAST).share_in(large) == (0.0, True)


def test_a_population_of_an_earlier_version_is_named_as_not_compared(place):
    (place / "A" / "patients" / "clinic").unlink()
    done = add(place, "second", rows(1000, 20), "ward")
    assert done.exit_code == 0
    assert "Not compared with the patients of clinic: register their tables again" in said(done)


def test_a_spoilt_file_is_not_taken_for_no_patients(place):
    (place / "A" / "patients" / "clinic").write_bytes(b"x")
    with pytest.raises(UnreadableError, match="which patients already have a budget"):
        keep_patients(Site.at(place / "A"), "clinic", many(0, 10))
    assert isinstance(add(place, "second", rows(0, 20), "ward", "--yes").exception, UnreadableError)
