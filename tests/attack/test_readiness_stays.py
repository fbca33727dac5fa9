"""Nothing that a look at a table finds is anywhere but on its owner's screen: neither on the store,
nor in the ledger, a log or another party's folder. Planted values are searched for everywhere.
"""

import json
import os

import pytest
from click.testing import CliRunner
from console_client import ConsoleClient
from consortium import NAMES, Consortium

from securefl.cli.main import cli

ME = NAMES[0]
#: Two that a look shows as they are, and a patient.
PLANTED = (b"-7741.0625", b"Qx7zebra", b"planted-patient-88")


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    """A hospital whose table has planted values, and that approved a study: its word is posted."""
    made = Consortium(tmp_path_factory.mktemp("readiness"))
    table = made.table(ME)
    head, first, second, *rest = table.read_bytes().splitlines(keepends=True)
    names = head.decode().strip().split(",")

    def with_cell(line, **cells):
        values = line.decode().strip().split(",")
        for name, cell in cells.items():
            values[names.index(name)] = cell
        return (",".join(values) + "\r\n").encode()

    planted = [
        with_cell(first, patient_id="planted-patient-88", age="-7741.0625"),
        with_cell(second, sex="Qx7zebra"),
    ]
    table.write_bytes(head + b"".join([*planted, *rest]))
    study = made.new_study("asked")
    made.hand_over(study, ME)
    made.approve(ME, study)
    return made


def look(c, *more):
    done = CliRunner().invoke(
        cli,
        [
            "site",
            "data",
            "readiness",
            "records",
            str(c.protocol),
            *more,
            "--site",
            str(c.root / ME),
        ],
    )
    assert done.exit_code == 0, done.output
    return done.output


def places(c):
    """Files, the table itself aside, in which a planted value stands."""
    table = c.table(ME)
    found = []
    for file in sorted(c.root.rglob("*")):
        if file.is_file() and file != table:
            content = file.read_bytes()
            if any(planted in content for planted in PLANTED):
                found.append(str(file.relative_to(c.root)))
    return found


def test_what_a_look_finds_is_on_the_screen_and_in_no_file(c):
    said = look(c)
    assert "-7741.06" in said
    assert "Qx7zebra" in said
    as_json = look(c, "--json", "-")
    assert json.loads(as_json)["columns"][0]["least"] == -7741.0625
    client = ConsoleClient(c.root / ME)
    client.open()
    try:
        assert "Qx7zebra" in client.get("data/readiness?table=records").text
    finally:
        client.close()
    assert c.objects(), "something was posted"
    assert places(c) == []


def test_a_look_posts_nothing_and_writes_nothing_into_the_ledger(c):
    ledger = (c.root / ME / "ledger.sqlite").read_bytes()
    before = c.objects()
    look(c)
    assert c.objects() == before
    assert (c.root / ME / "ledger.sqlite").read_bytes() == ledger


def test_what_is_kept_for_the_next_look_is_the_owners_alone(c):
    look(c)
    kept = c.root / ME / "private" / "readiness" / "records.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert os.fspath(kept.relative_to(c.root)) not in places(c)


def test_the_search_finds_a_look_that_left_the_screen(c):
    """The control: a page that is written beside what others read."""
    file = c.store_folder / "page.html"
    look(c, "--html", str(file))
    try:
        assert places(c) == ["store/page.html"]
    finally:
        file.unlink()
