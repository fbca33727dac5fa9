"""A mounted Windows drive (WSL, CIFS, exFAT): every file has mode 0777, and chmod changes nothing."""

from pathlib import Path

import pytest
from command_line_hospital import hospital

from securefl import files
from securefl.errors import UnreadableError
from securefl.party.folder import PartyFolder


def test_keys_are_not_made_where_everybody_could_read_them(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "kept_mode", lambda _path: 0o777)
    with pytest.raises(UnreadableError, match="keeps no permissions") as caught:
        PartyFolder.create(
            tmp_path / "x",
            name="X",
            role="researcher",
            legal_name="X",
            email="a@b.example",
            store=str(tmp_path / "s"),
        )
    assert f"{tmp_path}/x" in caught.value.what
    assert ".part" not in caught.value.what
    assert "such as your home directory" in caught.value.next_step
    assert not (tmp_path / "x").exists()


def test_keys_that_were_copied_there_are_refused_with_what_to_do(tmp_path):
    folder = hospital(tmp_path)
    for key in (folder / "keys").glob("*.key"):
        key.chmod(0o777)
    with pytest.raises(UnreadableError, match="readable by others") as caught:
        PartyFolder.open(Path(folder), "hospital").identity  # noqa: B018
    assert "Where that changes nothing" in caught.value.next_step
