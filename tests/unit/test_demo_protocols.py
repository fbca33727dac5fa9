"""What ``securefl demo --protocol`` offers: each name has a study file and tables that fit it."""

import csv
import io

import pytest

from securefl.demo import chains
from securefl.demo.hospital import lay_out, table_of
from securefl.demo.protocols import DEMONSTRATIONS, demonstration
from securefl.errors import DataError, UsageError
from securefl.public_tables import DATA_VARIABLE, thyroid_tables

NAMES = list(DEMONSTRATIONS)


def tables_of(demo):
    try:
        return demo.tables()
    except DataError as error:
        pytest.skip(error.what)


def test_the_default_comes_first():
    assert NAMES[0] == "thyroid"


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_have_every_hospital_and_every_column(name):
    demo = demonstration(name)
    found = tables_of(demo)
    assert set(found) == set(demo.sites)
    wanted = {column.name for column in demo.study.data.columns} | {demo.study.data.patient}
    for table in found.values():
        header = next(csv.reader(io.StringIO(table.decode())))
        assert wanted <= set(header)


@pytest.mark.parametrize("name", NAMES)
def test_the_hospitals_whose_screens_are_shown_take_part(name):
    demo = demonstration(name)
    assert demo.shown in demo.sites
    assert not demo.dirty or demo.dirty in demo.sites


@pytest.mark.parametrize("name", NAMES)
def test_the_study_can_be_run_by_these_hospitals(name):
    demo = demonstration(name)
    secagg = demo.study.secagg
    assert secagg.min_contributors <= len(demo.sites)
    assert 2 * secagg.min_contributors > len(demo.sites) + secagg.colluders


def test_another_name_is_refused_with_those_that_there_are():
    with pytest.raises(UsageError) as caught:
        demonstration("thyroids")
    assert all(name in caught.value.next_step for name in NAMES)


def test_a_table_that_is_not_here_is_said_before_anything_is_made(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(chains, "packaged", lambda: None)
    for name in ("heart", "survival"):
        with pytest.raises(DataError, match="not shipped"):
            demonstration(name).tables()


def test_a_file_that_is_not_the_published_one_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(chains, "packaged", lambda: tmp_path / "elsewhere.arff")
    for name in ("heart", "survival"):
        with pytest.raises(DataError, match="cannot be read"):
            demonstration(name).tables()
    (tmp_path / "chains").mkdir()
    (tmp_path / chains.FILE).write_text("@relation other\n")
    with pytest.raises(DataError, match="is not flchain"):
        demonstration("survival").tables()


def test_invented_patients_are_the_same_in_every_call():
    assert demonstration("visits-count").tables() == demonstration("visits-count").tables()


def test_a_hospital_gets_its_own_table_and_a_secret(tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "keys").mkdir()
    lay_out(tmp_path, "SVHD", 3, "thyroid-table")
    assert table_of(tmp_path, "thyroid").read_bytes() == thyroid_tables()["SVHD"]
    assert (tmp_path / "keys" / "site.secret").stat().st_size == 32
