"""A folder that others write to: links are not followed below its root, and what is in the way of a
write is set aside, not lost.
"""

import os
from pathlib import Path

import pytest

from securefl.boards.shared_folder import SharedFolder


@pytest.fixture
def folder(tmp_path):
    """The shared folder, its root reached by a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    return SharedFolder(str(tmp_path / "root"))


def put(folder, *names, data=b"data"):
    folder.write(names, lambda file: file.write(data))


def read(folder, *names):
    with folder.open(names) as file:
        return file.read()


def test_the_root_may_be_reached_by_a_link_and_is_made_when_it_is_written_to(folder, tmp_path):
    put(folder, "a", "b")
    assert (tmp_path / "real" / "a" / "b").read_bytes() == read(folder, "a", "b") == b"data"
    put(SharedFolder(str(tmp_path / "new" / "root")), "a")
    assert (tmp_path / "new" / "root" / "a").read_bytes() == b"data"


def test_nothing_is_made_by_looking(folder, tmp_path):
    for look in (folder.open, folder.stat, folder.list, folder.remove):
        with pytest.raises(FileNotFoundError):
            look(("a", "b"))
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("names", [("link", "file"), ("link", "below", "file")])
def test_no_link_is_followed_by_whatever_looks(folder, tmp_path, names):
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    for place in ("elsewhere", "elsewhere/below"):
        (tmp_path / place / "file").write_bytes(b"private")
    (tmp_path / "real" / "link").symlink_to(tmp_path / "elsewhere")
    for look in (folder.open, folder.stat, folder.list, folder.remove):
        with pytest.raises(NotADirectoryError):
            look(names)
    with pytest.raises(NotADirectoryError):
        folder.list(("link",))
    assert folder.list(()) == []
    assert (tmp_path / "elsewhere" / "file").exists()


@pytest.mark.parametrize("target", ["elsewhere", "nowhere", "../real", "link"])
def test_a_link_on_the_way_of_a_write_is_set_aside(folder, tmp_path, target):
    (tmp_path / "real" / "elsewhere").mkdir()
    (tmp_path / "real" / "link").symlink_to(target)
    put(folder, "link", "file")
    assert not (tmp_path / "real" / "link").is_symlink()
    assert read(folder, "link", "file") == b"data"
    assert list((tmp_path / "real" / "elsewhere").iterdir()) == []
    assert [str(p.readlink()) for p in (tmp_path / "real").iterdir() if p.is_symlink()] == [target]


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda p: p.symlink_to("/etc/hostname"),
        os.mkdir,
        lambda p: (p / "x").mkdir(parents=True),
    ],
)
def test_whatever_is_in_the_place_of_a_file_gives_way_to_it(folder, tmp_path, make):
    make(tmp_path / "real" / "file")
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        read(folder, "file")
    put(folder, "file")
    assert read(folder, "file") == b"data"


def test_whoever_is_in_the_way_again_and_again_stops_the_write_and_nothing_is_left(
    folder, tmp_path, monkeypatch
):
    (tmp_path / "real" / "file").mkdir()
    (tmp_path / "real" / "way").write_bytes(b"")
    monkeypatch.setattr(os, "rename", lambda *_, **__: None)
    for names, error in ((("file",), IsADirectoryError), (("way", "file"), NotADirectoryError)):
        with pytest.raises(error):
            put(folder, *names)
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["file", "way"]


def test_a_folder_that_somebody_else_put_right_is_not_set_aside(folder, tmp_path, monkeypatch):
    (tmp_path / "real" / "way").write_bytes(b"junk")
    look = os.stat

    def put_right_first(path, **given):
        if path == "way" and (tmp_path / "real" / "way").is_file():
            (tmp_path / "real" / "way").unlink()
            put(folder, "way", "theirs")
        return look(path, **given)

    monkeypatch.setattr(os, "stat", put_right_first)
    put(folder, "way", "ours")
    assert sorted(folder.list(("way",))) == ["ours", "theirs"]


def test_no_descriptor_stays_open(folder, tmp_path):
    (tmp_path / "real" / "link").symlink_to("elsewhere")
    (tmp_path / "real" / "deep" / "er").mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for names in (("a", "b", "c"), ("link", "x"), ("deep", "er")):
        for look in (folder.open, folder.stat, folder.list, folder.remove):
            try:
                look(names)
            except OSError:
                continue
    put(folder, "a", "b", "c")
    read(folder, "a", "b", "c")
    folder.remove(("a", "b", "c"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
