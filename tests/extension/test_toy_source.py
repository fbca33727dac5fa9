"""A toy source, JSON lines, registered from this file alone: looked at, registered, reviewed,
prepared by a real worker, and used in a whole study beside two CSV files.

The hospitals' agents run this file as ``securefl``: the toy is known in every process.
"""

import csv
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium
from light_agent import use_light_workers

from securefl.cli.main import cli, main
from securefl.errors import DataError
from securefl.node.launcher import Worker
from securefl.node.patients import TableComparison
from securefl.sources.csv import CsvSource
from securefl.sources.source import SOURCES, OpenTable, Source, kind_of
from securefl.sources.table_file import table_descriptor
from securefl.study.worker_walls import WorkerRules

ME = NAMES[0]


class JsonLines(Source):
    """An object a line, all with the keys of the first."""

    kind: ClassVar[str] = "json-lines"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)

    @property
    def words(self):
        return "JSON, an object a line"

    def columns(self):
        with self._file() as file:
            return tuple(self._object(file.readline()))

    def open(self):
        with self._file() as file:
            version = self._version(os.fstat(file.fileno()))
            names = list(self._object(file.readline()))
            file.seek(0)
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, names, restval="", extrasaction="ignore")
            writer.writeheader()
            for line in file:
                writer.writerow(self._object(line))
        with tempfile.TemporaryFile() as made:
            made.write(text.getvalue().encode())
            made.flush()
            return OpenTable(os.dup(made.fileno()), self.reading, version)

    def version(self):
        try:
            return self._version(self.path.stat())
        except OSError:
            return None

    def _file(self):
        return os.fdopen(table_descriptor(self.path), encoding="utf-8")

    @staticmethod
    def _version(found):
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def _object(self, line):
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError):
            raise DataError("the table has a line that is no JSON object.") from None


@pytest.fixture(scope="module", autouse=True)
def known():
    take_away = SOURCES.register(JsonLines.kind, JsonLines)
    yield
    take_away()


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture(scope="module")
def table(c):
    """The hospital's CSV table once more, as JSON lines."""
    file = c.root / "records.jsonl"
    rows = csv.DictReader(c.table(ME).read_text().splitlines())
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def added(c, table):
    done = typed(c, "add", "records", table, "--population", "clinic", "--yes")
    assert done.exit_code == 0, done.exception
    return done


def typed(c, word, *words):
    where = ["--columns", c.protocol, "--site", c.root / ME]
    return CliRunner().invoke(cli, [str(w) for w in ("site", "data", word, *words, *where)])


def test_the_name_of_a_file_tells_its_kind(table):
    assert kind_of(table) == "json-lines"


def test_a_check_counts_the_same_rows_as_for_the_csv(c, table):
    found, as_csv = (typed(c, "check", file).output for file in (table, c.table(ME)))
    assert "It is read as JSON, an object a line." in found
    assert found.splitlines()[1:] == as_csv.splitlines()[1:]
    assert len(found.splitlines()) > 1


def test_a_registered_table_is_listed_with_its_kind_in_the_settings(c, table, added):
    assert "JSON, an object a line" in added.output
    (entry,) = c.site(ME).settings.datasets
    assert (entry.source, entry.table(c.root / ME)) == ("json-lines", JsonLines(table))
    listed = CliRunner().invoke(cli, ["site", "data", "list", "--site", str(c.root / ME)])
    assert "JSON, an object a line" in listed.output
    assert "not there now" not in listed.output


@pytest.mark.usefixtures("added")
def test_a_study_is_reviewed_and_its_worker_prepares_the_same_rows_as_of_the_csv(c, tmp_path):
    study = c.new_study("toy-source")
    c.hand_over(study, ME)
    site, found = c.review(ME, study)
    assert found.faults == ()
    compare = TableComparison.of(site, "records")
    secret = site.split_secret("clinic")
    text = study.text
    counted = []
    for source in (site.table("records"), CsvSource(c.table(ME))):
        with Worker(
            source, max_bytes=8 * study.parameters, log=tmp_path / "worker.log", rules=WorkerRules()
        ) as worker:
            assert worker.holds(source)
            worker.check(text)
            counts = worker.prepare(text, ME, secret, compare.key)
            counted.append({k: v for k, v in counts.items() if k not in {"sha256", "patients"}})
            if isinstance(source, JsonLines):
                assert site.keyed_snapshot(counts["sha256"]) == compare.known
                compare(counts)
    site.ledger.close()
    assert counted[0] == counted[1]
    assert counted[0]["training"] > 0


@pytest.mark.usefixtures("added")
def test_a_column_that_is_missing_is_a_fault_of_the_review(c, table, tmp_path):
    kept = shutil.copy(table, tmp_path / "kept")
    table.write_text(table.read_text().replace('"TSH"', '"tsh"'))
    try:
        site, found = c.review(ME, c.new_study("without-column"))
        site.ledger.close()
    finally:
        shutil.copy(kept, table)
    assert [fault.code for fault in found.faults] == ["data"]
    assert "no column 'TSH'" in found.faults[0].what


@pytest.fixture
def running(c, added, monkeypatch):
    """Everybody's processes; the hospital ``ME`` reads JSON lines, the others CSV."""
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tests}:{tests / 'support'}")
    c.program = (__file__,)
    try:
        c.start_all()
        c.join()
        yield c
    finally:
        c.end_all()


def test_a_whole_study_runs_with_it_beside_csv(running):
    """Requests, approvals, budgets, masked and encrypted rounds, the model, the audits."""
    kinds = [running.site(name).settings.datasets[0].source for name in NAMES]
    assert kinds == ["json-lines", "csv", "csv"]
    study = running.new_study("whole")
    running.ready(study)
    result = running.run(study)
    assert len(result.outcome.records) == study.plan.last_round
    running.ended(study, *NAMES, status="completed")
    assert set(study.report()["extracts"]) == set(NAMES)
    for number in range(1, study.plan.last_round + 1):
        assert set(study.verify(number).frames) == set(NAMES)
    done = CliRunner().invoke(cli, ["audit", "--site", str(running.root / ME)])
    assert done.exit_code == 0, done.output
    assert study.name in done.output


if __name__ == "__main__":
    use_light_workers()
    SOURCES.register(JsonLines.kind, JsonLines)
    main(sys.argv[1:])
