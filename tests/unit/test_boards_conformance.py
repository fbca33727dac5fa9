"""The conformance tests over every board that comes with the product."""

import secrets

import fsspec
import pytest
from board_conformance import BoardConformance
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from odd_filesystems import ObjectStore, Odd

from securefl.boards.board import CarriedBoard
from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.opening import open_board


class Opened(BoardConformance):
    """A board that is opened by its URL."""

    def url(self, _tmp_path):
        raise NotImplementedError

    @pytest.fixture
    def opened(self, tmp_path):
        url = self.url(tmp_path)
        return lambda marker: open_board(url, marker)


class TestFolder(Opened):
    def url(self, tmp_path):
        return str(tmp_path / "s")


class TestFileUrl(Opened):
    def url(self, tmp_path):
        return f"file://{tmp_path}/s"


class TestMemory(Opened):
    def url(self, _tmp_path):
        return f"memory://{secrets.token_hex(8)}"


class TestRemoteFolder(Opened):
    knows_the_first = False

    def url(self, tmp_path):
        fsspec.register_implementation("odd", Odd, clobber=True)
        return f"odd://{tmp_path}/s"


class OnFileSystem(BoardConformance):
    """A board on an fsspec file system that is made by hand."""

    def file_system(self, _tmp_path):
        raise NotImplementedError

    @pytest.fixture
    def opened(self, tmp_path):
        fs = self.file_system(tmp_path)
        return lambda marker: CarriedBoard("x://", FsspecCarrier(fs, "/bucket/prefix"), marker)


class TestFsspecMemory(OnFileSystem):
    knows_the_first = False

    def file_system(self, _tmp_path):
        fs = MemoryFileSystem(skip_instance_cache=True)
        fs.store, fs.pseudo_dirs = {}, [""]  # of its own, and not the process's
        return fs


class TestFolderWithinAnother(OnFileSystem):
    knows_the_first = False

    def file_system(self, tmp_path):
        return DirFileSystem(str(tmp_path), fsspec.filesystem("file"))


class TestObjectStore(OnFileSystem):
    def file_system(self, _tmp_path):
        return ObjectStore({})
