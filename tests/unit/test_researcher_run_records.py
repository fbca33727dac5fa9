"""Whoever looks on at a run sees each round once, however often the run was interrupted."""

import json
from dataclasses import asdict

import pytest

from securefl.federation.round_record import RoundRecord
from securefl.locks import Lock
from securefl.researcher.run_records import follow, read_records
from securefl.researcher.run_study import RECORDS


def line(number):
    record = RoundRecord(number, "update", "a" * 64, "b" * 64, {"H": "c" * 64}, "d" * 64, 7)
    return json.dumps(asdict(record)) + "\n"


@pytest.fixture
def running(tmp_path):
    lock = Lock(tmp_path / "run.lock")
    assert lock.take()
    yield lock
    lock.release()


def test_half_a_line_is_no_record(tmp_path):
    assert read_records(tmp_path) == []
    (tmp_path / RECORDS).write_text(line(1) + line(2)[:40])
    assert [record.round for record in read_records(tmp_path)] == [1]


def test_each_round_comes_once_until_the_run_ends(tmp_path, running):
    file = tmp_path / RECORDS
    turns = [
        lambda: file.write_text(line(1)),
        lambda: file.write_text(line(1) + line(2)),
        file.unlink,  # interrupted, and told again from the first round on
        lambda: file.write_text(line(1) + line(2) + line(3)),
        running.release,
    ]

    def pause():
        turns.pop(0)()

    seen = [record.round for record in follow(tmp_path, pause)]
    assert seen == [1, 2, 3]
    assert not turns


def test_a_run_that_is_over_is_told_and_not_waited_for(tmp_path):
    (tmp_path / RECORDS).write_text(line(1) + line(2))
    assert [record.round for record in follow(tmp_path, pytest.fail)] == [1, 2]
