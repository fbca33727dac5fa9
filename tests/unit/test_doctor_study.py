"""A machine beside one study: rounds on invented rows, the signed report, who is ready."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from agreed_consortium import AgreedConsortium
from click.testing import CliRunner
from conftest import fixed_identity, make_study
from consortium import NAMES
from every_page import built
from looked_at import KINDS, LOOKS

import securefl
from securefl.cli import doctor_study
from securefl.cli.main import cli
from securefl.errors import RoundError, SecureFLError, StudyError, UntrustedError
from securefl.node.mock_rounds import MockPace, mock_pace, mock_rows
from securefl.node.owner import machine
from securefl.party.machine_report import CHECKS, MachineReport, find_reports, report_file
from securefl.report.terminal import plain_text
from securefl.study.sealed import SealedStudy

ME, OTHER, _ = NAMES
PACE = MockPace(300, 4, 4, 0.2, 0.05, 400_000_000)


class StandIn:
    """A worker that answers zeros; what it was asked stays with it."""

    def __init__(self, source, longest, log):
        self.source, self.longest, self.log = source, longest, log
        self.pid, self.asked = 1 << 30, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait_ready(self):
        pass

    def prepare(self, text, site, secret):
        self.prepared = (text, site, secret)

    def release(self, number, model, length, largest, timeout):
        assert 8 * length <= self.longest
        self.asked.append(number)
        return np.zeros(length, dtype=np.int64)


@pytest.fixture(scope="module")
def sealed():
    return SealedStudy.read(make_study()[0])


def paced(sealed, folder, seconds):
    workers = []

    def start(source, longest, log):
        workers.append(StandIn(source, longest, log))
        return workers[-1]

    site = sealed.study.participants[0].name
    return mock_pace(sealed, site, folder, seconds, start), workers[0]


def test_all_rounds_are_tried_on_invented_rows_and_no_table(sealed, tmp_path):
    pace, worker = paced(sealed, tmp_path, 60)
    assert worker.asked == list(range(1, pace.of + 1))
    assert (pace.rounds, pace.rows) == (pace.of, mock_rows(sealed.study))
    assert pace.memory is None
    lines = (tmp_path / "mock.csv").read_text().splitlines()
    assert len(lines) == pace.rows + 1
    assert lines[1].startswith("mock-1,")


def test_when_the_time_is_over_no_further_round_begins(sealed, tmp_path):
    pace, worker = paced(sealed, tmp_path, 0)
    assert worker.asked == [1]
    assert pace.slowest == pace.first


def test_a_worker_that_answers_nothing_is_a_fault(sealed, tmp_path, monkeypatch):
    def fail(*_):
        raise RoundError("gone")

    monkeypatch.setattr(StandIn, "release", fail)
    with pytest.raises(RoundError, match="gone"):
        paced(sealed, tmp_path, 60)


def test_the_real_worker_is_timed_behind_its_walls(tmp_path):
    """What the command starts is what a study starts."""
    sealed = SealedStudy.read(make_study()[0])
    site = sealed.study.participants[0].name
    pace = machine.rounds_on_mock_data(sealed, site, tmp_path, 0)
    assert pace.rounds == 1
    assert pace.first > 0
    assert pace.memory is None or pace.memory > 10**8


def test_the_real_worker_answers_looks_between_updates(tmp_path):
    sealed = SealedStudy.read(make_study(5, LOOKS)[0])
    site = sealed.study.participants[0].name
    pace = machine.rounds_on_mock_data(sealed, site, tmp_path, 300)
    assert pace.rounds == pace.of == len(KINDS)


def test_the_wire_page_lists_the_fields_and_the_vector_is_what_is_written():
    wire = Path(securefl.__file__).parents[1] / "protocols" / "wire"
    vectors = json.loads((wire / "agreement-vectors.json").read_text("utf-8"))
    report = MachineReport(
        study="ab" * 32,
        party="SVI",
        at=vectors["at"],
        failed=("pace",),
        securefl="0.1.0",
        lock="cd" * 32,
        code="ef" * 32,
        cores=2,
        memory_mb=8000,
        disk_mb=90000,
        open_files=20000,
        landlock=4,
        store_ms=12,
        round_ms=700,
        worker_mb=500,
    )
    written = report.dump(fixed_identity("SVI", "hospital").sign)
    assert written.hex() == vectors["machine_report"]
    page = (wire / "agreement.md").read_text("utf-8").partition("A machine's report")[2]
    for name in vars(report):
        assert f"`{name}`" in page
    assert all(name in page for name in CHECKS)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    c = AgreedConsortium(tmp_path_factory.mktemp("ring"))
    c.agree()
    c.asked = c.agreed_study("asked")
    c.file = c.root / "asked.toml"
    c.file.write_bytes(c.asked.sealed.text)
    return c


def run(*words, code=0):
    done = CliRunner().invoke(cli, [*map(str, words)], env={"COLUMNS": "300"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def doctor(ring, name, *words, code=0):
    folder = ring.root / name
    return run("doctor", "--folder", folder, "--study", ring.file, *words, code=code)


def test_a_slow_machine_is_told_so_beside_the_studys_own_times(ring, monkeypatch):
    sealed = ring.asked.sealed
    mine = doctor_study.open_party(ring.root / ME)
    figures = {}
    step = doctor_study.study_checks(mine, sealed, 60, figures)["pace"]
    monkeypatch.setattr(machine, "rounds_on_mock_data", lambda *_: PACE)
    late = replace(PACE, slowest=float(sealed.study.schedule.reply_after) + 1)
    assert "4 of 4 rounds on 300 invented rows" in step()
    monkeypatch.setattr(machine, "rounds_on_mock_data", lambda *_: late)
    with pytest.raises(SecureFLError, match="Too slow for this study"):
        step()
    assert figures["round_seconds"] == round(late.slowest, 4)
    figures["memory"] = 10**8
    memory = doctor_study.study_checks(mine, sealed, 60, figures)["memory"]
    with pytest.raises(SecureFLError, match="Too little memory"):
        memory()
    mine.ledger.close()


@pytest.mark.parametrize(("seconds", "shown"), [(0.0002, 1), (0.0101, 11), (0.05, 50), (None, 0)])
def test_a_figure_is_rounded_up_since_0_says_that_nothing_was_measured(ring, seconds, shown):
    mine = doctor_study.open_party(ring.root / ME)
    figures = {"store_seconds": seconds}
    report = doctor_study.make_report(mine, ring.asked.sealed, [], figures, "2026-01-01T00:00:00Z")
    assert report.store_ms == shown
    mine.ledger.close()


def test_machines_of_one_version_with_different_code_are_noticed():
    warning = "run different code"
    assert warning in plain_text(built("machines"), 200, most=1000)
    assert warning not in plain_text(built("machines-all-ready"), 200, most=1000)


def test_a_study_that_names_somebody_else_or_another_version_is_refused(ring):
    sealed = ring.asked.sealed
    other = SealedStudy.read(make_study()[0])
    mine = doctor_study.open_party(ring.root / ME)
    own = doctor_study.study_checks(mine, sealed, 60, {})
    assert ME in own["party"]()
    strange = doctor_study.study_checks(mine, other, 60, {})
    with pytest.raises(UntrustedError):
        strange["party"]()
    with pytest.raises(StudyError, match="The study was made with"):
        strange["software"]()
    mine.ledger.close()


def test_a_report_is_handed_on_only_by_its_owners_yes_and_says_no_more_than_was_shown(
    ring, monkeypatch
):
    monkeypatch.setattr(machine, "rounds_on_mock_data", lambda *_: PACE)
    folder = ring.folder
    doctor(ring, ME)
    assert not report_file(folder, ME).exists()
    with pytest.raises(SecureFLError):  # nobody can be asked
        doctor(ring, ME, "--to", folder.path)
    assert not report_file(folder, ME).exists()
    said = doctor(ring, ME, "--to", folder.path, "--yes")
    assert "round_ms: 50" in said
    text = report_file(folder, ME).read_bytes()
    assert b"restore" not in text
    mine = doctor_study.open_party(ring.root / OTHER)
    found = find_reports(folder, mine, ring.asked.sealed.digest)
    assert found[ME].report.failed == ()
    assert found[ME].report.worker_mb == 400
    assert found["sums"].report is None
    # of another study, or altered: it does not count
    assert find_reports(folder, mine, "0" * 64)[ME].fault is not None
    report_file(folder, ME).write_bytes(text.replace(b'"round_ms":50', b'"round_ms":10'))
    assert find_reports(folder, mine, ring.asked.sealed.digest)[ME].fault is not None
    report_file(folder, OTHER).write_bytes(text)  # another party's report under its own name
    assert find_reports(folder, mine, ring.asked.sealed.digest)[OTHER].fault is not None
    report_file(folder, OTHER).unlink()
    report_file(folder, ME).write_bytes(text)
    words = ("consortium", "ready", folder.path, "--study", ring.file, "--site", ring.root / OTHER)
    told = json.loads(run(*words, "--json", "-"))
    states = {row["party"]: row["state"] for row in told["parties"]}
    assert states[ME] == "ready"
    assert states[OTHER] == "no report"
    assert told["ready"] is False
    assert "Not ready yet:" in run(*words)
    mine.ledger.close()


def test_a_study_needs_a_partys_folder_and_a_report_needs_a_study(ring, tmp_path):
    with pytest.raises(SecureFLError, match="no party's folder"):
        run("doctor", "--folder", tmp_path, "--study", ring.file)
    with pytest.raises(SecureFLError, match="about one study"):
        run("doctor", "--folder", ring.root / ME, "--to", ring.folder.path)
