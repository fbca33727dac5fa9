"""Whoever writes to the store rewrites what a researcher decides on: the mock table, the columns, a
unit, whole data sets.
"""

import json
import shutil

import pytest
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.datasite.address import site_email
from securefl.datasite.site import open_datasite
from securefl.errors import MessageError
from securefl.node.request_intake import sync_datasite
from securefl.signed import canonical, dump_signed

ME, OTHER, _ = NAMES
MOCK, STATEMENT = "mock.csv", "description.signed"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Two hospitals show their data sets to a researcher, through PySyft, and stop."""
    c = Consortium(tmp_path_factory.mktemp("public"))
    c.lab.ask(ME, OTHER)
    for name in (ME, OTHER):
        sync_datasite(c.site(name), print).ledger.close()
    return c


@pytest.fixture
def c(shown):
    """With the store as it was, and a researcher who has fetched nothing yet."""
    kept, lab = shown.root / "kept", shown.root / "researcher"
    for folder, name in ((shown.store_folder, "store"), (lab, "lab")):
        shutil.copytree(folder, kept / name, symlinks=True)
    yield shown
    for folder, name in ((shown.store_folder, "store"), (lab, "lab")):
        shutil.rmtree(folder)
        shutil.copytree(kept / name, folder, symlinks=True)
    shutil.rmtree(kept)


def in_store(c, name, file):
    """Where a data set's file lies in the store; PySyft's folder carries a hash that nobody checks."""
    (found,) = (c.store_folder / "datasites" / site_email(name) / "collections").glob(f"*/{file}")
    return found


def unsigned(c, name):
    """Control: what PySyft alone hands to the researcher, believed as it comes."""
    with open_datasite(
        c.lab.folder.board, c.lab.email, c.lab.folder.datasite, "researcher"
    ) as desk:
        desk.sync()
        (info,) = (d for d in desk.datasets() if d.owner == site_email(name))
        return info.mock.read_bytes(), json.loads(info.statement.split(b"\n", 1)[1])


def of(c, name):
    (found,) = (d for d in c.lab.datasets() if d.site == name)
    return found


def rewritten(c, name, change):
    file = in_store(c, name, STATEMENT)
    head, body = file.read_bytes().split(b"\n", 1)
    value = json.loads(body)
    change(value)
    file.write_bytes(head + b"\n" + canonical(value))


def test_an_untouched_data_set_is_shown_with_its_columns_and_rows(c):
    found = of(c, ME)
    assert found.fault == ""
    assert found.description["columns"][0]["name"] == "age"
    assert found.description["population"] == "clinic"
    assert len(found.mock()) == 20


def test_a_mock_table_that_somebody_edited_is_refused(c):
    file = in_store(c, ME, MOCK)
    file.write_bytes(file.read_bytes().replace(b"mock-1,", b"mock-1,9"))
    assert unsigned(c, ME)[0] == file.read_bytes()  # control: PySyft takes it
    found = of(c, ME)
    assert "the mock table is not the one that the hospital signed" in found.fault
    assert found.description == {}
    with pytest.raises(MessageError, match="not the one that the hospital signed"):
        found.mock()
    assert of(c, OTHER).fault == ""


def _unit(value):
    value["data"]["columns"][0]["unit"] = "months"


def _range(value):
    value["data"]["columns"][0]["high"] = "1000"


def _population(value):
    value["population"] = "everybody"


def _hash(value):
    value["mock_sha256"] = "0" * 64


@pytest.mark.parametrize("change", [_unit, _range, _population, _hash])
def test_a_description_that_somebody_edited_is_refused(c, change):
    rewritten(c, ME, change)
    control = unsigned(c, ME)[1]
    change(expected := json.loads(json.dumps(control)))
    assert control == expected  # control: PySyft takes it
    found = of(c, ME)
    assert "its signature is not by the key that is trusted here" in found.fault
    assert found.description == {}


def test_what_another_signed_is_not_this_hospitals(c):
    for file in (MOCK, STATEMENT):
        in_store(c, ME, file).write_bytes(in_store(c, OTHER, file).read_bytes())
    assert unsigned(c, ME)[1]["site"] == OTHER  # control
    assert "its signature is not by the key that is trusted here" in of(c, ME).fault


def test_a_partner_cannot_sign_in_this_hospitals_name(c):
    _, body = in_store(c, ME, STATEMENT).read_bytes().split(b"\n", 1)
    site = c.site(OTHER)
    in_store(c, ME, STATEMENT).write_bytes(dump_signed(json.loads(body), site.identity.sign))
    assert "its signature is not by the key that is trusted here" in of(c, ME).fault


def test_a_data_set_without_its_signature_is_named_and_not_shown(c):
    in_store(c, ME, STATEMENT).unlink()
    found = of(c, ME)
    assert found.fault == f"The data set records of {ME} is not shown: {ME} did not sign it."
    with pytest.raises(MessageError):
        found.mock()


def test_the_command_line_names_the_fault_and_shows_nothing_of_it(c):
    from click.testing import CliRunner

    rewritten(c, ME, _unit)
    done = CliRunner().invoke(
        cli, ["study", "datasets", "--researcher", str(c.root / "researcher")]
    )
    out = " ".join(done.output.split())
    assert f"{ME}/records: NOT SHOWN." in out
    assert f"{OTHER}/records: 20 invented rows with these columns:" in out
    assert "months" not in out
