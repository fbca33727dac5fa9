"""An empty mount point became a new store, and the agent said that it runs."""

import json

import pytest
from command_line_hospital import hospital, securefl, words

from securefl.errors import StoreError
from securefl.node.site import Site


def test_a_party_with_a_past_begins_no_new_store(tmp_path):
    folder = hospital(tmp_path)
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").mkdir()  # the mount point, with nothing mounted on it
    with pytest.raises(
        StoreError, match="not the store that was used here before: it has no marker"
    ) as caught:
        Site.at(folder).board.post("a", b"1")
    assert "mounted" in caught.value.next_step
    doctor = securefl("doctor", "--folder", folder, "--json", "-")
    check = next(c for c in json.loads(doctor.stdout)["checks"] if c["check"] == "store")
    assert check["result"] == "FAILED"
    assert "not the store that was used here before" in check["detail"]
    tried = securefl("store", "check", "--folder", folder, "--json", "-")
    assert tried.returncode == 10
    (only,) = json.loads(tried.stdout)["checks"]
    assert only["result"] == "FAILED"
    assert only["detail"].partition(" Nothing was")[0] in check["detail"]
    inbox = securefl("site", "inbox", "--site", folder)
    assert inbox.returncode == 10
    assert "see that it is mounted" in words(inbox.stderr)
    assert list((tmp_path / "store").iterdir()) == []


def test_another_partys_store_is_not_taken_for_ones_own(tmp_path):
    folder = hospital(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    hospital(other)
    settings = folder / "site.toml"
    settings.write_text(settings.read_text().replace(str(tmp_path / "store"), str(other / "store")))
    with pytest.raises(StoreError, match="not the store"):
        Site.at(folder).board.names("studies")


def test_a_store_that_has_really_moved_is_taken_once_its_mark_is_forgotten(tmp_path):
    folder = hospital(tmp_path)
    (tmp_path / "store").rename(tmp_path / "moved")
    settings = folder / "site.toml"
    settings.write_text(
        settings.read_text().replace(str(tmp_path / "store"), str(tmp_path / "moved"))
    )
    assert Site.at(folder).board.names() is not None  # the same store elsewhere has the same mark
    (tmp_path / "moved" / "securefl-store").unlink()
    with pytest.raises(StoreError, match=r"store\.id"):
        Site.at(folder).board.names()
    (folder / "store.id").unlink()
    assert Site.at(folder).board.names() == []
    assert "store" in securefl("doctor", "--folder", folder).stdout
    assert (folder / "store.id").read_bytes().strip() == (
        tmp_path / "moved" / "securefl-store"
    ).read_bytes()
