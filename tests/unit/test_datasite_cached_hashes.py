"""The held table of file hashes says what PySyft's own would, and reads the file when it changed
only.
"""

from pathlib import Path

import pytest

from securefl.boards.opening import open_board
from securefl.datasite.cached_hashes import HeldHashes
from securefl.datasite.pysyft import PersistedDict

ONE, TWO = Path("app_data/one"), Path("app_data/two")


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".cache" / "hashes.json"


@pytest.fixture
def theirs(file):
    return PersistedDict(path=file, key_serializer=str, key_deserializer=Path)


@pytest.fixture
def held(theirs):
    return HeldHashes.instead_of(theirs)


def test_it_says_what_pysyft_wrote_before_and_after_it_was_made(file, theirs):
    theirs[ONE] = "a"
    held = HeldHashes.instead_of(theirs)
    assert held[ONE] == "a"
    theirs[TWO] = "b"
    assert dict(held.items()) == {ONE: "a", TWO: "b"}
    del theirs[ONE]
    assert ONE not in held
    assert held.get(ONE) is None
    file.unlink()
    assert list(held.keys()) == []


def test_pysyft_reads_what_it_wrote(theirs, held):
    held[ONE] = "a"
    with held.exclusive_lock():
        held.set(TWO, "b", write=False)
        held._write_to_file()
    assert dict(theirs.items()) == {ONE: "a", TWO: "b"} == dict(held.items())
    held.pop(ONE)
    assert dict(theirs.items()) == {TWO: "b"} == dict(held.items())


@pytest.mark.parametrize(("kind", "reads"), [(HeldHashes, 1), (PersistedDict, 100)])
def test_a_hundred_questions_read_the_file_once_where_pysyft_reads_it_each_time(
    file, theirs, kind, reads, monkeypatch
):
    theirs[ONE] = "a"
    mine = kind(path=file, key_serializer=str, key_deserializer=Path)
    mine._known = None
    read, own = [], Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: read.append(self) or own(self, *a, **k)
    )
    assert {mine.get(ONE) for _ in range(100)} == {"a"}
    assert len(read) == reads


def test_a_site_with_a_datasite_holds_it(tmp_path):
    from securefl.datasite.address import site_email
    from securefl.datasite.site import open_datasite

    with open_datasite(
        open_board(str(tmp_path / "store")), site_email("SVI"), tmp_path / "site", "hospital"
    ) as desk:
        cache = desk._client.sync_engine.datasite_owner_syncer.event_cache
        assert isinstance(cache.file_hashes, HeldHashes)
        desk.sync()
