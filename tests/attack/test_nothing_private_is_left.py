"""A whole study with recognisable private values at one hospital: they are nowhere but in its own table
and keys. Every file that anybody has afterwards is searched, and so is all that monitoring reads.
"""

import base64
import json
import re
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner
from consortium import NAMES
from whole_study import WholeStudy

from securefl.cli.main import cli
from securefl.learning.mock import mock_table
from securefl.node.leaving import COUNTS
from securefl.node.notices.notice_desk import tell
from securefl.node.notices.notice_settings import keep_notice_settings, read_notice_settings
from securefl.party.events import EVENTS
from securefl.party.journal import Journal
from securefl.privacy import randomness
from securefl.researcher.mlflow_run import study_record
from securefl.researcher.run_series import run_series
from securefl.study.parse import parse_protocol

ME = NAMES[0]
ROWS = 6151
#: Part of every patient's number, and texts of single cells: two that take part, two set aside.
PATIENT = "-zebra77"
CELLS = ("63.4142135", "11.7320508", "7741.0625", "Qx7unknown")
NOTICES = b"""
schema = "securefl-notices/1"
[command]
run = ["/bin/true"]
"""


def planted_table(data):
    """Rows of invented patients, with the planted cells in the first ones."""
    head, *rows = mock_table(data, ROWS, seed=7).decode().splitlines()
    names = head.split(",")
    cells = [line.split(",") for line in rows]
    for number, row in enumerate(cells):
        row[names.index("patient_id")] = f"P{number:05d}{PATIENT}"
    cells[0][names.index("age")] = CELLS[0]
    cells[1][names.index("TSH")] = CELLS[1]
    cells[2][names.index("age")] = CELLS[2]
    cells[3][names.index("sex")] = CELLS[3]
    return "\n".join([head, *(",".join(row) for row in cells)]) + "\n"


def secret_forms(secret):
    """A key as bytes, and as people and programs write it."""
    coded = base64.b64encode(secret).rstrip(b"=")
    safe = base64.urlsafe_b64encode(secret).rstrip(b"=")
    return {secret, secret.hex().encode(), coded, safe}


def cell_forms(cell):
    """A cell as text, and a number as programs keep it."""
    forms = {cell.encode()}
    if cell[0].isdigit():
        number = float(cell)
        forms |= {repr(number).encode(), struct.pack("<d", number), struct.pack(">d", number)}
    return forms


class Searched:
    """The study, its planted values, and the places in which one is found."""

    def __init__(self, root, patch):
        self.root = root
        self.seeds = set()
        real = randomness.ChaChaStream

        def keyed(key):
            if any(key):  # none is drawn yet: it begins with zeros
                self.seeds.add(bytes(key))
            return real(key)

        patch.setattr(randomness, "ChaChaStream", keyed)
        self.whole = WholeStudy(root, patch=patch)
        c = self.whole.consortium
        self.own = root / ME
        c.table(ME).write_text(planted_table(parse_protocol(c.protocol.read_bytes()).data))
        site = c.site(ME)
        keep_notice_settings(site, read_notice_settings(NOTICES))
        self.keys = {bytes(f.read_bytes()) for f in self.own.glob("keys/*") if is_secret(f)}
        site.ledger.close()
        step = self.whole._turn

        def turn():
            """Study keys are there only while the study runs."""
            self.keys |= {f.read_bytes() for f in self.own.glob("keys/studies/*.key")}
            self.keys |= {f.read_bytes() for f in self.own.glob("studies/*/run.key")}
            step()

        patch.setattr(self.whole, "_turn", turn)
        self.whole.run()
        self.whole.check_ends()
        counts = json.loads((self.own / "studies" / self.whole.study.digest / COUNTS).read_bytes())
        self.counts = {ROWS, ROWS - 2} | {n for n in numbers(counts) if n >= 1000}
        self.look_on()

    def look_on(self):
        """All that monitoring and people read of the study, written where everybody may read it."""
        c, study = self.whole.consortium, self.whole.study
        self.screens = self.root / "screens"
        self.screens.mkdir()
        lab = ["--researcher", str(self.root / "researcher")]
        site = c.site(ME)
        tell(site, read_notice_settings(NOTICES))
        site.ledger.close()
        shown = {
            "site": ["site", "metrics", "--site", str(self.own)],
            "site-json": ["site", "metrics", "--json", "-", "--site", str(self.own)],
            "sums": ["aggregator", "metrics", "--aggregator", str(self.root / "sums")],
            "runs": ["study", "metrics", *lab],
            "report": ["study", "report", study.name, "--html", self.place("report.html"), *lab],
            "curves": ["study", "curves", study.name, "--json", "-", *lab],
        }
        for name, words in shown.items():
            done = CliRunner().invoke(cli, words)
            assert done.exit_code == 0, done.output
            (self.screens / f"{name}.txt").write_text(done.output)
        points = run_series(study.folder, study.plan)
        record = study_record(study.name, study.folder, study.plan, points)
        (self.screens / "mlflow.txt").write_text(repr(record))  # all that MLflow is given

    def place(self, name):
        return str(self.screens / name)

    @property
    def others(self):
        """Files of everybody else: other hospitals, aggregator, researcher, store, screens."""
        return [f for f in self.root.rglob("*") if f.is_file() and not f.is_relative_to(self.own)]

    @property
    def mine(self):
        """This hospital's own files, its tables and its keys aside."""
        apart = {"private", "keys"}
        found = [f for f in self.own.rglob("*") if f.is_file()]
        return [f for f in found if f.relative_to(self.own).parts[0] not in apart]

    @property
    def watched(self):
        """What of this hospital a program for monitoring or a mail may read."""
        notices = [f for f in self.own.glob("notices/**/*") if f.is_file()]
        streams = [*self.own.glob(f"{EVENTS}*"), *self.own.glob("agent*.json")]
        return [*notices, *streams, *self.screens.glob("*")]

    def found(self, files, forms):
        """Files, by their place, that hold one of these."""
        places = set()
        for file in files:
            content = file.read_bytes()
            if any(form in content for form in forms):
                places.add(str(file.relative_to(self.root)))
        return places

    @property
    def records(self):
        return {PATIENT.encode()}.union(*(cell_forms(cell) for cell in CELLS))

    @property
    def secrets(self):
        return set().union(*(secret_forms(secret) for secret in self.keys | self.seeds))

    def counted(self, files):
        """Files in which one of the hospital's row counts stands as a number of its own."""
        wanted = "|".join(str(count) for count in sorted(self.counts))
        alone = re.compile(rf"(?<![0-9a-fA-F.])({wanted})(?![0-9a-fA-F])".encode())
        return {str(f.relative_to(self.root)) for f in files if alone.search(f.read_bytes())}


def is_secret(file):
    """True for a private key or the site's secret: 32 bytes that nobody else may read."""
    return file.is_file() and file.stat().st_size == 32


def numbers(found):
    """All whole numbers in a JSON value."""
    if isinstance(found, dict):
        found = found.values()
    elif isinstance(found, int):
        return [found]
    elif not isinstance(found, list):
        return []
    return [number for inner in found for number in numbers(inner)]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return Searched(tmp_path_factory.mktemp("searched"), patch)


def test_what_is_planted_is_there(searched):
    """The controls: table, keys and seeds hold what is looked for."""
    table = searched.own / "private" / "records.csv"
    text = table.read_text()
    assert text.count(PATIENT) == ROWS
    assert all(cell in text for cell in CELLS)
    assert len(searched.keys) >= 4  # to sign, to open, the site's, the study's
    assert len(searched.seeds) >= 3
    assert len(searched.counts) >= 3
    log = (searched.own / "agent.log").read_text()
    assert f"{ROWS - 2} of {ROWS} rows used" in log  # the owner's own screen has the counts
    assert searched.found([table], searched.records)
    keys = [file for file in searched.own.glob("keys/*") if file.is_file()]
    assert searched.found(keys, searched.secrets)


def test_no_record_is_anywhere_but_in_the_table(searched):
    assert searched.found([*searched.others, *searched.mine], searched.records) == set()


def test_no_key_and_no_seed_is_anywhere_but_among_the_keys(searched):
    assert searched.found([*searched.others, *searched.mine], searched.secrets) == set()


def test_no_row_count_is_in_what_anybody_else_has_or_monitoring_reads(searched):
    # sums and what follows from them hold noised numbers: one may be any number by chance
    charged = ("result.json", "model.json", "extract.json")
    others = [f for f in searched.others if is_text(f) and f.name not in charged]
    others = [f for f in others if f.parent.name not in {"extracts", "rounds", "totals"}]
    assert len(others) > 20
    assert searched.counted([*others, *searched.watched]) == set()
    # the control: the hospital's own log has them
    assert searched.counted([searched.own / "agent.log"])


def test_every_feed_was_written_and_searched(searched):
    names = {file.name for file in searched.others}
    assert {"events.jsonl", "aggregator.log", "run.log", "curves.txt", "report.html"} <= names
    assert (searched.root / "sums" / EVENTS).stat().st_size > 0
    watched = {file.name for file in searched.watched}
    assert {EVENTS, "told.json", "site.txt", "site-json.txt", "mlflow.txt"} <= watched
    assert any(file.parent.name == "out" for file in searched.watched)  # a notice that waits


@pytest.mark.parametrize("leak", ["patient", "cell", "number", "key", "seed", "count"])
def test_a_line_that_leaks_is_found_by_the_same_search(searched, leak):
    """The negative control: one line in an aggregator's log, one object in the store."""
    said = {
        "patient": f"row of P00017{PATIENT} was late",
        "cell": f"unexpected {CELLS[3]}",
        "number": f"clipped {float(CELLS[0])!r}",
        "key": f"key {min(searched.keys).hex()}",
        "seed": f"noise from {base64.b64encode(max(searched.seeds)).decode()}",
        "count": f"{max(searched.counts)} rows used",
    }[leak]
    log = searched.root / "sums" / "leak.log"
    leaked = searched.root / "store" / "leak"
    journal = Journal(log)
    journal.say(said)
    journal.close()
    leaked.write_bytes(b"\x00\x01" + said.encode())
    wanted = {"sums/leak.log", "store/leak"}
    try:
        if leak == "count":
            assert searched.counted(searched.others) >= wanted
        elif leak in {"key", "seed"}:
            assert searched.found(searched.others, searched.secrets) == wanted
        else:
            assert searched.found(searched.others, searched.records) == wanted
    finally:
        log.unlink()
        leaked.unlink()


def is_text(file: Path) -> bool:
    """True where a file is text, as logs, streams, statements and pages are."""
    try:
        file.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True
