"""A backup is whole or not there, says who made it, and is never put over what knows more."""

import os
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from checkpoint_hospitals import approved, three_hospitals
from click.testing import CliRunner
from ledger_site import digest

from securefl.cli.main import cli
from securefl.errors import LedgerAlteredError, StoreError, UnreadableError, UsageError
from securefl.files import private_folder, replace_file
from securefl.node import backup as module
from securefl.node.answered import Answered
from securefl.node.backup import make_backup, read_backup, restore_backup
from securefl.node.checkpoints import Question, answer_questions, collect, hand_out
from securefl.node.rotation import rotate_key
from securefl.node.site import Site
from securefl.privacy.ledger import read_ledger

AT = "2026-11-28T12:00:00Z"
COHORT = ("A", "B", "C")
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def sites(tmp_path):
    made = three_hospitals(tmp_path)
    here = made["A"]
    approved(here)
    replace_file(private_folder(here.study_folder(digest(1))) / "study.toml", b"the study")
    here.new_study_key(digest(1))
    (here.path / "private" / "table.csv").write_text("patient,age\n1,50\n")
    (here.study_folder(digest(1)) / "contributions").mkdir()
    (here.study_folder(digest(1)) / "contributions" / "00001").write_bytes(b"noised")
    return made


@pytest.fixture
def made(sites, tmp_path):
    return make_backup(sites["A"], tmp_path / "backup", AT)


def test_a_backup_has_what_cannot_be_made_again_and_nothing_that_is_to_be_erased(
    sites, made, tmp_path
):
    names = set(read_backup(tmp_path / "backup").files)
    kept = {
        "keys/signing.key",
        "keys/sealing.key",
        "keys/card.json",
        "keys/partners",
        "keys/site.secret",
        "site.toml",
        "ledger.sqlite",
        "ledger.sqlite.head",
    }
    assert kept | {f"studies/{digest(1)}/study.toml"} <= names
    assert not [
        n
        for n in names
        if "table.csv" in n
        or "contributions" in n
        or n.startswith("keys/studies")
        or n.endswith(".lock")
    ]
    for file in (tmp_path / "backup").rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.is_dir()
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    assert made.reading.at.size == sites["A"].ledger.size


def test_a_recall_beside_a_model_is_in_it_and_a_notice_that_waits_is_not(sites, tmp_path):
    here = sites["A"].path
    for folder in (here / "models" / "small" / "notices", here / "notices"):
        folder.mkdir(parents=True)
        (folder / "A.json").write_bytes(b"signed")
    names = set(make_backup(sites["A"], tmp_path / "backup", AT).files)
    assert "models/small/notices/A.json" in names
    assert "notices/A.json" not in names


def test_put_back_into_a_new_folder_the_hospital_is_as_it_was(sites, made, tmp_path):
    assert restore_backup(read_backup(tmp_path / "backup"), tmp_path / "new") is None
    back = Site.at(tmp_path / "new")
    assert (back.ledger.size, back.ledger.head) == (sites["A"].ledger.size, sites["A"].ledger.head)
    assert back.settings == sites["A"].settings
    assert set(back.book.cards()) == {"B", "C"}
    assert back.secret == sites["A"].secret
    assert read_ledger(back.ledger_path, back.identity.card.verify).fault is None
    back.ledger.start(digest(1))


def test_put_over_an_older_or_broken_ledger_it_keeps_that_and_what_else_is_there(sites, tmp_path):
    shutil.copytree(sites["A"].path, tmp_path / "older")
    sites["A"].ledger.start(digest(1))
    newest = make_backup(sites["A"], tmp_path / "newest", AT)
    (tmp_path / "older" / "ledger.sqlite-wal").write_bytes(b"what belongs to the other file")
    aside = restore_backup(newest, tmp_path / "older")
    assert aside == tmp_path / "older" / "replaced.1"
    assert {"ledger.sqlite", "ledger.sqlite.head"} <= {p.name for p in aside.iterdir()}
    assert not (tmp_path / "older" / "ledger.sqlite-wal").exists()
    back = Site.at(tmp_path / "older")
    assert back.ledger.size == newest.reading.at.size
    assert (back.path / "private" / "table.csv").exists()
    back.ledger.close()
    back.ledger_path.write_bytes(b"no ledger at all")
    restore_backup(newest, back.path)
    assert Site.at(back.path).ledger.size == newest.reading.at.size


def newer_ledger(site):
    site.ledger.start(digest(1))


def newer_witness(site):
    site.ledger.start(digest(1))
    site.ledger.close()
    site.ledger_path.write_bytes(b"no ledger at all")


def lost_ledger(site):
    site.ledger.start(digest(1))
    site.ledger.close()
    site.ledger_path.unlink()


def partners_word(site):
    site.ledger.start(digest(1))
    (site.path / "checkpoints" / "returned").mkdir(parents=True)
    (site.path / "checkpoints" / "returned" / "B").write_bytes(site.ledger.checkpoint())
    site.ledger.close()
    for name in ("ledger.sqlite", "ledger.sqlite.head"):
        (site.path / name).unlink()


def other_past(site):
    site.ledger.close()
    old = Site.at(site.path)
    restore_backup(read_backup(site.path.parent / "backup"), site.path.parent / "twin")
    old.ledger.pause()
    twin = Site.at(site.path.parent / "twin")
    twin.ledger.withdraw(digest(1))
    old.ledger.close()
    shutil.copy(twin.ledger_path, old.ledger_path)


@pytest.mark.parametrize(
    "change", [newer_ledger, newer_witness, lost_ledger, partners_word, other_past]
)
def test_it_is_not_put_over_what_knows_more(sites, made, change):
    change(sites["A"])
    before = {p: p.read_bytes() for p in sites["A"].path.rglob("*") if p.is_file()}
    with pytest.raises(LedgerAlteredError, match="newer than the backup"):
        restore_backup(made, sites["A"].path)
    after = {p: p.read_bytes() for p in sites["A"].path.rglob("*") if p.is_file()}
    assert {k: v for k, v in after.items() if k.suffix != ".lock"} == {
        k: v for k, v in before.items() if k.suffix != ".lock"
    }


def test_it_is_not_put_over_newer_keys_another_hospital_a_working_agent_or_any_folder(
    sites, made, tmp_path
):
    with pytest.raises(UsageError, match="is the folder of B, the backup is of A"):
        restore_backup(made, sites["B"].path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="no hospital's folder"):
        restore_backup(made, tmp_path / "photos")
    with (
        module.exclude_role(sites["A"].path, "agent"),
        pytest.raises(UsageError, match="An agent runs"),
    ):
        restore_backup(made, sites["A"].path)
    sites["A"].ledger.withdraw(digest(1))
    rotate_key(sites["A"], AT)
    with pytest.raises(LedgerAlteredError, match="keys were changed after"):
        restore_backup(made, sites["A"].path)


def test_a_backup_from_before_a_change_of_keys_fits_the_card_after_it_when_made_anew(
    sites, tmp_path
):
    sites["A"].ledger.withdraw(digest(1))
    shutil.copytree(sites["A"].path, tmp_path / "older")
    rotate_key(sites["A"], AT)
    after = make_backup(Site.at(sites["A"].path), tmp_path / "after", AT)
    restore_backup(after, tmp_path / "older")
    assert Site.at(tmp_path / "older").identity.card.signing_public == after.card.signing_public


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: (b / "site.toml").write_text("other"),
        lambda b: (b / "keys" / "partners").unlink(),
        lambda b: (b / "keys" / "more").write_text("x"),
        lambda b: (b / "manifest").write_bytes(b"junk"),
        lambda b: (b / "manifest").unlink(),
        lambda b: (b / "keys" / "card.json").unlink(),
        lambda b: (
            (b / "site.toml").rename(b.parent / "toml"),
            (b / "site.toml").symlink_to(b.parent / "toml"),
        ),
        lambda b: shutil.copy(b.parent / "B" / "ledger.sqlite", b / "ledger.sqlite"),
        lambda b: shutil.copy(b.parent / "B" / "keys" / "card.json", b / "keys" / "card.json"),
    ],
)
def test_an_incomplete_or_altered_backup_is_refused(sites, made, spoil):
    spoil(made.folder)
    with pytest.raises(UnreadableError, match="no whole backup"):
        read_backup(made.folder)


def test_a_backup_that_fails_leaves_nothing(sites, tmp_path, monkeypatch):
    monkeypatch.setattr(
        module,
        "file_sha256",
        lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(StoreError, match="No space left"):
        make_backup(sites["A"], tmp_path / "backup", AT)
    assert not [p for p in tmp_path.iterdir() if "backup" in p.name]


def test_a_backup_is_written_neither_over_another_nor_into_the_folder_itself(sites, made, tmp_path):
    with pytest.raises(UsageError, match="exists already"):
        make_backup(sites["A"], tmp_path / "backup", AT)
    with pytest.raises(UsageError, match="own folder"):
        make_backup(sites["A"], sites["A"].path / "backup", AT)


def test_a_disk_that_takes_nothing_back_says_so(made, tmp_path, monkeypatch):
    monkeypatch.setattr(
        module, "_copy", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(StoreError, match="No space left"):
        restore_backup(made, tmp_path / "new")
    monkeypatch.undo()
    restore_backup(made, tmp_path / "new")  # the same command goes on
    assert Site.at(tmp_path / "new").ledger.size == made.reading.at.size


WRITER = """
import sys
from itertools import pairwise
from pathlib import Path
from securefl.node.site import Site
site = Site.at(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    site.ledger.pause(); site.ledger.resume()
"""


def test_backups_made_while_another_process_writes_are_whole_and_each_is_the_beginning_of_the_next(
    sites, tmp_path
):
    site = sites["A"]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(site.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "ready\n"
        size, made = site.ledger.size, []
        while len(made) < 8:
            while site.ledger.size <= size + 2:  # it writes on between two backups
                pass
            size = site.ledger.size
            made.append(make_backup(site, tmp_path / f"b{len(made)}", AT))
            assert read_backup(made[-1].folder).reading.hashes == made[-1].reading.hashes
            assert made[-1].reading.at.size >= size
    finally:
        writer.kill()
        writer.communicate()
    for earlier, later in pairwise(made):
        assert later.reading.hashes[: earlier.reading.at.size] == earlier.reading.hashes
    final = read_ledger(site.ledger_path, site.identity.card.verify).require()
    assert final.hashes[: made[-1].reading.at.size] == made[-1].reading.hashes


def typed(*words):
    done = CliRunner().invoke(cli, [*map(str, words)])
    return done.exit_code, " ".join(done.output.split()), str(done.exception or "")


def test_the_commands_say_what_is_in_it_and_whom_the_agent_will_ask(sites, tmp_path):
    here = sites["A"].path
    code, out, _ = typed("site", "backup", tmp_path / "backup", "--site", here)
    assert (code, "5 events of the ledger of A" in out, "Not in it: private tables" in out) == (
        0,
        True,
        True,
    )
    code, out, error = typed("site", "restore", tmp_path / "backup", "--site", tmp_path / "new")
    assert (code != 0, "nobody can be asked here" in error) == (True, True)
    assert sites["A"].identity.card.spoken in out
    assert "two copies spend one budget twice" in out
    code, out, _ = typed(
        "site", "restore", tmp_path / "backup", "--site", tmp_path / "new", "--yes"
    )
    assert (code, "hold: B, C." in out) == (0, True)
    code, out, _ = typed("site", "restore", tmp_path / "backup", "--site", here, "--yes")
    assert (code, "The ledger that was there lies in" in out) == (0, True)
    assert typed("audit", "--verify", "--site", here)[0] == 0


def test_a_partner_that_holds_more_stops_the_restored_hospital(sites, made, tmp_path):
    site = sites["A"]
    site.ledger.start(digest(1))
    hand_out(site, digest(1), COHORT)
    assert collect(sites["B"], digest(1), COHORT) == []
    restore_backup(made, tmp_path / "new")  # the machine is lost, and the newest events with it
    back = Site.at(tmp_path / "new")
    question = Question(lambda _: None)
    question.turn(back)
    answer_questions(sites["B"], Answered(sites["B"].path))
    with pytest.raises(LedgerAlteredError, match="B holds a checkpoint"):
        question.turn(back)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_what_is_no_file_is_left_out(sites, tmp_path):
    os.mkfifo(sites["A"].path / "pipe")
    (sites["A"].path / "link").symlink_to(sites["A"].path / "site.toml")
    assert not {"pipe", "link"} & set(make_backup(sites["A"], tmp_path / "backup", AT).files)


def test_the_page_that_leads_to_a_running_console_is_left_out_and_the_policy_is_kept(
    sites, tmp_path
):
    for name in ("console.html", "policy.signed"):
        (sites["A"].path / name).write_text("x")
    files = set(make_backup(sites["A"], tmp_path / "backup", AT).files)
    assert "console.html" not in files
    assert "policy.signed" in files
