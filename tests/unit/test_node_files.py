"""A hospital's folder: who may read what, locks that end with their holder, words that wait for the
store.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import fixed_identity
from consortium import NAMES, Consortium

from securefl import partners
from securefl.boards.board import CarriedBoard
from securefl.boards.opening import open_board
from securefl.errors import DataError, MessageError, StoreError, UnreadableError, UsageError
from securefl.federation import paths
from securefl.files import private_folder
from securefl.locks import Lock, holding, is_held
from securefl.node.extract import publish_extract
from securefl.node.requests import find_request, keep_request, kept_requests, kept_study
from securefl.node.site import Site
from securefl.partners import AddressBook
from securefl.party.audit_extract import read_extract
from securefl.party.folder import PartyFolder, find_folder
from securefl.party.outbox import deliver, post
from securefl.party.pysyft_keys import publish_pysyft_keys, signed_fingerprint
from securefl.party.site_secret import split_secret
from securefl.sources.csv import CsvSource
from securefl.study.sealed import SealedStudy

ME, OTHER, _ = NAMES


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def site(hospitals):
    found = hospitals.site(ME)
    yield found
    found.ledger.close()


# --- modes and keys
# --------------------------------------------------------------------------------------------------


def test_everything_in_a_hospitals_folder_is_for_its_owner_alone(hospitals, site):
    study = hospitals.new_study("modes")
    hospitals.hand_over(study, ME)
    hospitals.approve(ME, study)
    post(site, "identities/x", b"data")
    (site.path / "private" / "records.csv").chmod(0o600)  # the owner's own file
    for path in [site.path, *site.path.rglob("*")]:
        if "syftbox" in path.relative_to(site.path).parts[1:]:
            continue  # PySyft's own files, inside a folder that nobody else enters
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_study_key_is_erased_and_erasing_again_is_harmless(site):
    digest = "ab" * 32
    site.new_study_key(digest)
    file = site.keys / "studies" / f"{digest}.key"
    linked = site.path / "linked"
    os.link(file, linked)  # shows that the bytes themselves are overwritten
    site.erase_study_key(digest)
    site.erase_study_key(digest)
    assert not file.exists()
    assert linked.read_bytes() == bytes(32)
    linked.unlink()
    with pytest.raises(UnreadableError):
        site.study_key(digest)


def test_every_study_has_a_key_of_its_own(site):
    first = site.new_study_key("cd" * 32).private_bytes_raw()
    second = site.new_study_key("cd" * 32).private_bytes_raw()  # after an interrupted approval
    assert first != second
    assert site.study_key("cd" * 32).private_bytes_raw() == second
    site.erase_study_key("cd" * 32)


def test_a_key_that_others_can_read_is_not_used(site):
    site.new_study_key("ef" * 32)
    (site.keys / "studies" / f"{'ef' * 32}.key").chmod(0o644)
    with pytest.raises(UnreadableError, match="readable by others"):
        site.study_key("ef" * 32)
    site.erase_study_key("ef" * 32)


def test_the_split_secret_differs_by_population_and_site(hospitals, site):
    assert site.split_secret("a") != site.split_secret("b")
    assert site.split_secret("a") != hospitals.site(OTHER).split_secret("a")
    assert site.split_secret("a") == split_secret(site.secret, "a")


def test_the_same_table_has_another_snapshot_at_every_hospital(hospitals, site):
    table = CsvSource(hospitals.table(OTHER))
    assert table.fingerprint(site.secret) != table.fingerprint(hospitals.site(OTHER).secret)


# --- settings and data sets
# ------------------------------------------------------------------------------------------


def test_a_table_inside_the_folder_that_pysyft_shares_is_refused(site):
    inside = site.datasite / "records.csv"
    inside.write_text("a\n1\n")
    with pytest.raises(DataError, match="shares"):
        site.with_dataset("shared", CsvSource(inside), "clinic")
    link = site.path / "private" / "link.csv"
    link.symlink_to(inside)
    with pytest.raises(DataError, match="shares"):
        site.with_dataset("shared", CsvSource(link), "clinic")
    link.unlink()
    inside.unlink()


def test_a_table_that_is_not_there_is_refused(site):
    with pytest.raises(DataError, match="not a file"):
        site.with_dataset("gone", CsvSource(site.path / "gone.csv"), "clinic")


def test_a_data_set_keeps_its_population(site):
    with pytest.raises(UsageError, match="registered for the population 'clinic'"):
        site.with_dataset("records", CsvSource(site.path / "private" / "records.csv"), "another")
    with pytest.raises(UsageError, match="No data set"):
        site.dataset("unknown")


def test_settings_are_read_again_and_the_ledger_stays_open(hospitals, site):
    ledger = site.ledger
    assert site.refreshed() is site
    hospitals.site(ME).with_dataset(
        "more", CsvSource(site.path / "private" / "records.csv"), "clinic"
    )
    again = site.refreshed()
    assert again.dataset("more")
    assert again.ledger is ledger


def test_a_folder_of_another_role_is_not_opened(hospitals):
    with pytest.raises(UsageError, match="not a hospital's folder"):
        Site.at(hospitals.root / "researcher")
    with pytest.raises(UsageError, match="is not an aggregator's folder"):
        PartyFolder.open(hospitals.root / "researcher", "aggregator")
    with pytest.raises(UsageError, match="party's folder already"):
        PartyFolder.create(
            hospitals.root / "researcher",
            name="x",
            role="researcher",
            legal_name="X",
            email="x@example.org",
            store="s",
        )
    with pytest.raises(UsageError, match="name"):
        PartyFolder.create(
            hospitals.root / "new",
            name="1 bad name",
            role="researcher",
            legal_name="X",
            email="x@example.org",
            store="s",
        )


def test_broken_settings_are_named(tmp_path):
    (tmp_path / "site.toml").write_text("schema = ")
    with pytest.raises(UnreadableError, match=r"site\.toml"):
        Site.at(tmp_path)


def test_a_folder_is_found_by_option_variable_or_place(tmp_path, monkeypatch):
    monkeypatch.setenv("SECUREFL_SITE", str(tmp_path / "b"))
    assert find_folder(str(tmp_path / "a"), "SECUREFL_SITE") == tmp_path / "a"
    assert find_folder(None, "SECUREFL_SITE") == tmp_path / "b"
    monkeypatch.delenv("SECUREFL_SITE")
    assert find_folder(None, "SECUREFL_SITE") == Path.cwd()


def test_a_private_folder_is_closed_even_when_it_was_open(tmp_path):
    (tmp_path / "a").mkdir(mode=0o755)
    assert private_folder(tmp_path / "a").stat().st_mode & 0o777 == 0o700


# --- locks
# -----------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_and_free_after_release(tmp_path):
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    assert first.take()
    assert is_held(tmp_path / "lock")
    assert not second.take(seconds=0.05)
    first.release()
    first.release()
    assert not is_held(tmp_path / "lock")
    assert second.take()
    second.release()


def test_a_killed_holder_holds_nothing(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from securefl.locks import Lock; lock ="
        " Lock(Path(sys.argv[1])); lock.take(); "
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code + "print(flush=True); time.sleep(60)", tmp_path / "lock"],
        stdout=subprocess.PIPE,
    )
    child.stdout.readline()
    held = is_held(tmp_path / "lock")
    child.kill()
    child.wait()
    assert held
    assert not is_held(tmp_path / "lock")


def test_decisions_wait_for_each_other(site):
    with site.deciding():
        assert is_held(site.path / "deciding.lock")
    assert not is_held(site.path / "deciding.lock")
    with holding(site.path / "deciding.lock"):
        pass


@pytest.mark.parametrize(
    ("role", "lock"),
    [
        ("hospital", "deciding.lock"),
        ("researcher", "partners.lock"),
        ("aggregator", "partners.lock"),
    ],
)
def test_the_list_of_partners_is_read_changed_and_written_by_one_process_at_a_time(
    tmp_path, monkeypatch, role, lock
):
    fields = {
        "name": "D",
        "legal_name": "D",
        "email": "d@example.org",
        "store": str(tmp_path / "store"),
    }
    folder = (
        Site.init(tmp_path / "D", **fields)
        if role == "hospital"
        else PartyFolder.create(tmp_path / "D", role=role, **fields)
    )
    card = fixed_identity("B", "hospital").card
    held = []

    def watched(real):
        return lambda *args: (held.append(is_held(folder.path / lock)), real(*args))[1]

    monkeypatch.setattr(AddressBook, "_read", watched(AddressBook._read))
    monkeypatch.setattr(partners, "_write", watched(partners._write))
    folder.book.trust(card)
    folder.book.distrust("B")
    assert len(held) >= 4
    assert all(held)


def test_cards_that_are_trusted_at_the_same_time_are_all_on_the_list(tmp_path):
    folder = PartyFolder.create(
        tmp_path / "D",
        name="D",
        role="researcher",
        legal_name="D",
        email="d@example.org",
        store=str(tmp_path / "store"),
    )
    cards = [fixed_identity(f"H{n}", "hospital") for n in range(6)]
    for one in cards:
        (tmp_path / one.card.name).write_bytes(one.signed_card())
    command = [
        sys.executable,
        "-m",
        "securefl",
        "study",
        "trust",
        "--yes",
        "--researcher",
        str(folder.path),
    ]
    at_once = [
        subprocess.Popen([*command, str(tmp_path / one.card.name)], stdout=subprocess.DEVNULL)
        for one in cards
    ]
    assert [child.wait() for child in at_once] == [0] * len(cards)
    assert len(folder.book.cards()) == len(cards)


# --- outbox
# ----------------------------------------------------------------------------------------------------------


def test_what_the_store_does_not_take_is_kept_and_sent_later(site, monkeypatch):
    def away(*_):
        raise StoreError("away")

    with monkeypatch.context() as during:
        during.setattr(CarriedBoard, "post", away)
        assert post(site, "identities/later", b"a\nb") is False
        with pytest.raises(StoreError):
            deliver(site)
    (site.path / "outbox" / ".half.part").write_bytes(b"half")
    deliver(site)
    assert site.board.read("identities/later", 10) == b"a\nb"
    (site.path / "outbox" / ".half.part").unlink()
    assert list((site.path / "outbox").iterdir()) == []


def test_a_newer_word_replaces_one_that_still_waits(site, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr(CarriedBoard, "post", lambda *_: (_ for _ in ()).throw(StoreError("away")))
        post(site, "identities/word", b"first")
        post(site, "identities/word", b"second")
    deliver(site)
    assert site.board.read("identities/word", 10) == b"second"


# --- requests
# --------------------------------------------------------------------------------------------------------


def test_the_same_study_twice_is_one_request(hospitals, site):
    study = hospitals.new_study("twice")
    first = keep_request(
        site,
        study.sealed,
        job="job-1",
        sender="researcher@securefl.example",
        received="2026-01-02T03:04:05Z",
    )
    again = keep_request(
        site,
        study.sealed,
        job="job-2",
        sender="researcher@securefl.example",
        received="2026-01-03T03:04:05Z",
    )
    assert again == first
    assert [r.job for r in kept_requests(site) if r.digest == study.digest] == ["job-1"]


def test_an_edited_study_is_another_request(hospitals, site):
    study = hospitals.new_study("original")
    edited = study.text.replace(b"Shows the parts.", b"Shows other parts.")
    first = keep_request(
        site, study.sealed, job="job-3", sender="r", received="2026-01-02T03:04:05Z"
    )
    second = keep_request(
        site, SealedStudy.read(edited), job="job-4", sender="r", received="2026-01-02T03:04:06Z"
    )
    assert first.digest != second.digest
    assert find_request(site, second.short)[1].text == edited
    with pytest.raises(UsageError, match="2 requests fit"):
        find_request(site, "original")
    with pytest.raises(UsageError, match="request fits"):
        find_request(site, "nothing-like-it")


def test_a_kept_text_that_was_changed_or_lost_is_not_read(hospitals, site):
    study = hospitals.new_study("changed")
    hospitals.hand_over(study, ME)
    file = site.study_folder(study.digest) / "study.toml"
    file.write_bytes(study.text.replace(b"Shows the parts.", b"Shows other parts."))
    with pytest.raises(UnreadableError, match="not the study that was kept"):
        kept_study(site, study.digest)
    file.unlink()
    with pytest.raises(UnreadableError, match="cannot be read"):
        kept_study(site, study.digest)
    hospitals.rewrite_request(ME, study, "[")
    with pytest.raises(UnreadableError, match=r"request\.json"):
        kept_requests(site)
    (site.study_folder(study.digest) / "request.json").unlink()


# --- statements of a hospital
# ----------------------------------------------------------------------------------------


def test_pysyft_keys_count_only_when_their_owner_signed_them_for_that_address(hospitals, site):
    card = site.identity.card
    assert signed_fingerprint(open_board("memory://nobody"), card, "a@b") is None
    publish_pysyft_keys(site.board, site.identity, "a@b", "ab" * 32)
    assert signed_fingerprint(site.board, card, "a@b") == "ab" * 32
    with pytest.raises(MessageError, match="another address"):
        signed_fingerprint(site.board, card, "c@d")
    publish_pysyft_keys(site.board, hospitals.site(OTHER).identity, "a@b", "cd" * 32)
    site.board.post(paths.pysyft_keys(ME), site.board.read(paths.pysyft_keys(OTHER), 4096))
    with pytest.raises(MessageError, match="signature"):
        signed_fingerprint(site.board, card, "a@b")


def test_an_extract_opens_for_the_researcher_and_tells_of_one_study_only(hospitals, site):
    study, other = hospitals.new_study("told"), hospitals.new_study("untold")
    for one in (study, other):
        hospitals.hand_over(one, ME)
        hospitals.approve(ME, one)
    publish_extract(site, study.digest, study.file)
    lab = hospitals.lab.folder
    found = read_extract(site.board, lab.identity, study.digest, ME, study.file)
    assert study.digest in str(found)
    assert other.digest not in str(found)
    assert read_extract(site.board, lab.identity, other.digest, ME, other.file) is None
    with pytest.raises(MessageError):
        read_extract(site.board, hospitals.site(OTHER).identity, study.digest, ME, study.file)
    site.board.post(
        paths.extract(other.digest, ME), site.board.read(paths.extract(study.digest, ME), 1 << 20)
    )
    with pytest.raises(MessageError):
        read_extract(site.board, lab.identity, other.digest, ME, other.file)


@pytest.mark.parametrize("text", ["[]", "not json", "[" * 100_000])
def test_an_extract_that_is_none_is_refused(hospitals, site, text):
    from securefl.party.audit_extract import AuditExtract, _info

    study = hospitals.new_study(f"malformed-{len(text)}")
    signed = AuditExtract(study.digest, ME, text).dump(site.identity.sign)
    site.board.post(
        paths.extract(study.digest, ME),
        hospitals.lab.folder.identity.card.seal(signed, _info(study.digest, ME)),
    )
    with pytest.raises(MessageError, match="not one"):
        read_extract(site.board, hospitals.lab.folder.identity, study.digest, ME, study.file)
