"""A folder in which a newer securefl has worked is refused, with the version to install."""

import tomllib

import pytest
from command_line_hospital import here

from securefl.errors import UnreadableError
from securefl.party import folder_version
from securefl.party.folder import DatasetEntry, PartyFolder


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "h"
    facts = ("--name", "S", "--legal-name", "L", "--email", "a@b.example")
    here("site", "init", place, *facts, "--store", tmp_path / "store")
    return place


def runs(monkeypatch, version):
    monkeypatch.setattr(folder_version, "version", lambda: version)


def opened(folder):
    return PartyFolder.open(folder, "hospital")


def test_a_new_folder_says_which_version_made_it(folder):
    assert (folder / "version").read_text() == f"{folder_version.version()}\n"
    assert (folder / "version").stat().st_mode & 0o777 == 0o600


def test_patches_read_each_others_folders_and_the_note_stays(folder, monkeypatch):
    runs(monkeypatch, "0.1.9")
    before = (folder / "version").read_bytes()
    opened(folder)
    assert (folder / "version").read_bytes() == before


def test_after_an_upgrade_the_older_version_is_refused_with_the_next_step(folder, monkeypatch):
    runs(monkeypatch, "0.2.0")
    opened(folder)
    assert (folder / "version").read_text() == "0.2.0\n"
    runs(monkeypatch, "0.1.0")
    with pytest.raises(UnreadableError, match=r"last used by securefl 0\.2\.0") as caught:
        opened(folder)
    assert "Install securefl 0.2.0 again" in caught.value.next_step
    assert (folder / "version").read_text() == "0.2.0\n"
    runs(monkeypatch, "1.0.0")
    opened(folder)


def test_ten_is_more_than_nine(folder, monkeypatch):
    (folder / "version").write_text("0.10.0\n")
    runs(monkeypatch, "0.9.0")
    with pytest.raises(UnreadableError):
        opened(folder)


def test_a_folder_from_before_there_was_a_note_is_opened_and_gets_one(folder):
    (folder / "version").unlink()
    opened(folder)
    assert (folder / "version").exists()


@pytest.mark.parametrize("text", ["", "new", "0.1\n0.2", "0" * 200])
def test_a_note_that_names_no_version_is_no_older_one(folder, text):
    (folder / "version").write_text(text)
    with pytest.raises(UnreadableError, match="names no version"):
        opened(folder)


def test_settings_of_a_later_form_are_newer_and_not_broken(folder):
    file = folder / "site.toml"
    file.write_text(file.read_text().replace("securefl-party/1", "securefl-party/2"))
    with pytest.raises(UnreadableError, match="reads securefl-party/1") as caught:
        opened(folder)
    assert "newer securefl" in caught.value.next_step
    # the control: any other word is a broken file
    file.write_text(file.read_text().replace("securefl-party/2", "securefl-party/x"))
    with pytest.raises(UnreadableError, match="cannot be read"):
        opened(folder)


def test_a_backup_takes_the_note_along(folder, tmp_path):
    (folder / "version").write_text("0.0.9\n")
    here("site", "backup", tmp_path / "backup", "--site", folder)
    here("site", "restore", tmp_path / "backup", "--yes", "--site", tmp_path / "again")
    assert (tmp_path / "again" / "version").exists()


def test_an_entry_that_only_a_newer_version_knows_is_named(folder):
    file = folder / "site.toml"
    before = file.read_text()
    file.write_text(f'{before}colour = "green"\n')
    with pytest.raises(UnreadableError, match="does not know: colour") as caught:
        opened(folder)
    assert "install that one again" in caught.value.next_step
    # the control: beside a broken entry the broken one is named
    file.write_text(f'{before.replace("hospital", "ghost")}colour = "green"\n')
    with pytest.raises(UnreadableError, match=r"cannot be read: role: Input should be"):
        opened(folder)


def test_what_a_data_set_does_not_use_is_not_written(folder):
    """Every version reads these three; a new field of a data set is written where it is used."""
    entry = DatasetEntry(name="records", population="clinic", path="private/t.csv")
    opened(folder).save(opened(folder).settings.model_copy(update={"datasets": (entry,)}))
    raw = tomllib.loads((folder / "site.toml").read_text())
    assert raw["datasets"] == [{"name": "records", "population": "clinic", "path": "private/t.csv"}]
    assert opened(folder).settings.datasets == (entry,)
