"""A toy carrier, one SQLite file, registered from this file alone: held to the conformance tests,
and a whole study over it.

As `docs/extending/carrier.md` says. The parties' processes run this file, which makes the carrier
known to them too.
"""

import io
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from board_conformance import BoardConformance
from click.testing import CliRunner
from consortium import NAMES, Consortium
from light_agent import use_light_workers

from securefl.boards.carrier import CARRIERS, Carrier
from securefl.boards.opening import open_board
from securefl.boards.url import usable_url
from securefl.cli.main import cli, main
from securefl.errors import UsageError
from securefl.federation.verifying import verify_round


class SqliteCarrier(Carrier):
    """Objects in the rows of one table; ``rows:///path/of/the/file``."""

    many_at_a_time = True

    def __init__(self, url):
        self._file = url.removeprefix("rows://")
        with self._database() as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS objects"
                " (number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, data BLOB)"
            )

    def write(self, path, fill):
        file = io.BytesIO()
        fill(file)
        with self._database() as db, db:
            values = (path, file.getvalue())
            db.execute("INSERT OR REPLACE INTO objects (path, data) VALUES (?, ?)", values)

    def open(self, path, most):
        return io.BytesIO(self._one("substr(data, 1, ?)", most, path))

    def stamp(self, path):
        return str(self._one("number + ?", 0, path))

    def names(self, folder):
        below = f"{folder}/" if folder else ""
        with self._database() as db:
            paths = [path for (path,) in db.execute("SELECT path FROM objects")]
        inside = (path.removeprefix(below) for path in paths if path.startswith(below))
        return sorted({path.partition("/")[0] for path in inside})

    def erase(self, path):
        with self._database() as db, db:
            db.execute("DELETE FROM objects WHERE path = ?", (path,))

    def _one(self, column, number, path):
        with self._database() as db:
            query = f"SELECT {column} FROM objects WHERE path = ?"  # noqa: S608 - a column of ours
            row = db.execute(query, (number, path)).fetchone()
        if row is None:
            raise FileNotFoundError(path)
        return row[0]

    def _database(self):
        return closing(sqlite3.connect(self._file, timeout=60))


@pytest.fixture(scope="module", autouse=True)
def known():
    take_away = CARRIERS.register("rows", SqliteCarrier)
    yield
    take_away()


class TestConformance(BoardConformance):
    knows_the_first = False

    @pytest.fixture
    def opened(self, tmp_path):
        return lambda marker: open_board(f"rows://{tmp_path}/board.db", marker)


def test_its_url_can_stand_in_settings_as_long_as_it_is_known(tmp_path):
    url = f"rows://{tmp_path}/board.db"
    assert usable_url(url) == url
    with pytest.raises(UsageError, match="no kind of store"):
        usable_url(f"columns://{tmp_path}/board.db")


@pytest.fixture(scope="module")
def c(tmp_path_factory, known):
    root = tmp_path_factory.mktemp("consortium")
    made = Consortium(root, way_of=lambda _name: f"rows://{root}/board.db")
    made.program = (__file__,)
    with pytest.MonkeyPatch.context() as during:
        tests = Path(__file__).parents[1]
        during.setenv("PYTHONPATH", f"{tests}:{tests / 'support'}")
        try:
            made.start_all()
            made.join()
            yield made
        finally:
            made.end_all()


def test_a_whole_study_runs_over_it(c):
    """Requests, approvals, budgets, masked and encrypted rounds, the model, the audits."""
    study = c.new_study("rows")
    c.ready(study)
    result = c.run(study)
    plan = study.plan
    assert len(result.outcome.records) == plan.last_round
    c.ended(study, *NAMES, status="completed")
    assert set(study.report()["extracts"]) == set(NAMES)
    for number in range(1, plan.last_round + 1):
        assert set(verify_round(c.lab.folder.board, plan, number).frames) == set(NAMES)
    for name in NAMES:
        done = CliRunner().invoke(cli, ["audit", "--site", str(c.root / name)])
        assert done.exit_code == 0, done.output
        assert study.digest[:12] in done.output
    assert not (c.root / "store").exists()


if __name__ == "__main__":
    use_light_workers()
    CARRIERS.register("rows", SqliteCarrier)
    main(sys.argv[1:])
