"""A registered table beside the columns of a study: what its owner is shown, and what is kept."""

import json

import pytest
from click.testing import CliRunner
from command_line_hospital import here, hospital, protocol_file
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.learning.mock import mock_table
from securefl.node.owner.readiness import keep_look, readiness
from securefl.node.site import Site


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A hospital with a registered table without trouble."""
    root = tmp_path_factory.mktemp("readiness")
    folder = hospital(root)
    columns = protocol_file(root)
    table = root / "table.csv"
    table.write_bytes(mock_table(SPEC, 200, seed=3))
    add = ("site", "data", "add", "records", table, "--population", "clinic")
    here(*add, "--columns", columns, "--site", folder)
    return root, folder, columns, table


def kept(folder):
    file = folder / "private" / "readiness" / "records.json"
    return json.loads(file.read_bytes())["looks"]


def test_a_table_without_trouble_is_one_line_on_the_screen(start):
    _, folder, columns, _ = start
    said = here("site", "data", "readiness", "records", columns, "--site", folder)
    line = "No trouble found in 'records': all declared columns are there, and its 200 rows"
    assert " ".join(said.split()) == f"{line} can be used."
    whole = here("site", "data", "readiness", "records", "--all", "--site", folder)
    assert "For your eyes only" in whole
    assert "200 rows, 200 can be used" in whole


def test_a_template_is_named_by_its_name(start):
    _, folder, _, _ = start
    said = here("site", "data", "readiness", "records", "thyroid", "--site", folder)
    assert "lithium: the table has no such column" in said


@pytest.mark.parametrize("named", ["nothing-like-it", "../thyroid", "x" * 300, "a\nb"])
def test_what_is_no_study_is_refused_with_the_next_step(start, named):
    _, folder, _, _ = start
    words = ["site", "data", "readiness", "records", named, "--site", str(folder)]
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError)
    assert "Name the file" in done.exception.next_step


def test_a_table_that_is_not_registered_is_refused(start):
    with pytest.raises(UsageError, match="No data set 'others'"):
        readiness(Site.at(start[1]), "others")


def test_a_look_is_compared_with_the_last_one_at_another_snapshot(start):
    _, folder, columns, table = start
    site = Site.at(folder)
    first = table.read_bytes()
    try:
        keep_look(site, readiness(site, "records"), "2026-01-02T00:00:00Z")
        assert readiness(site, "records").earlier == ""
        table.write_bytes(mock_table(SPEC, 200, seed=3).replace(b",F,", b",M,"))
        changed = readiness(site, "records")
        assert changed.earlier == "2026-01-02"
        assert [drift.column for drift in changed.drift] == ["sex"]
        keep_look(site, changed, "2026-02-02T00:00:00Z")
        keep_look(site, changed, "2026-02-03T00:00:00Z")
        assert [look["day"] for look in kept(folder)] == ["2026-01-02", "2026-02-03"]
        words = ("site", "data", "readiness", "records", columns, "--json", "-", "--site", folder)
        told = json.loads(here(*words))
        assert told["earlier"] == "2026-01-02"
        assert any("share of" in trouble for trouble in told["troubles"])
    finally:
        table.write_bytes(first)


def test_a_damaged_summary_is_no_summary(start):
    site = Site.at(start[1])
    keep_look(site, readiness(site, "records"), "2026-01-02T00:00:00Z")
    file = site.path / "private" / "readiness" / "records.json"
    for text in (b"", b"[]", b'{"type": "securefl-readiness/1", "looks": 3}', b"\xff"):
        file.write_bytes(text)
        assert readiness(site, "records").earlier == ""


def test_what_was_kept_goes_with_the_data_set(start):
    _, folder, columns, table = start
    add = ("site", "data", "add", "gone", table, "--population", "clinic")
    here(*add, "--columns", columns, "--site", folder, "--yes")
    here("site", "data", "readiness", "gone", "--site", folder)
    file = folder / "private" / "readiness" / "gone.json"
    assert file.exists()
    here("site", "data", "remove", "gone", "--yes", "--site", folder)
    assert not file.exists()
