import io
import os
import secrets
import threading

import pytest

from securefl.errors import MessageError, StoreError
from securefl.store import Store, persist, poll


@pytest.fixture(params=["folder", "file url", "memory"])
def store(request, tmp_path):
    urls = {
        "folder": str(tmp_path / "s"),
        "file url": f"file://{tmp_path}/s",
        "memory": f"memory://{secrets.token_hex(8)}",
    }
    return Store(urls[request.param])


@pytest.fixture(params=["folder", "memory", "other"])
def any_store(request, tmp_path):
    """A folder, memory, and a folder through the calls that any other file system takes."""
    made = Store(
        f"memory://{secrets.token_hex(8)}" if request.param == "memory" else str(tmp_path / "s")
    )
    made._local = request.param == "folder"
    return made


def test_an_object_comes_back_as_it_was_put(store):
    store.put("a/b/c.bin", b"\x00\xff")
    assert store.get("a/b/c.bin", 2) == b"\x00\xff"
    store.put("empty", b"")
    assert store.get("empty", 0) == b""


def test_a_second_put_replaces_the_whole_object(store):
    store.put("a", b"long content")
    store.put("a", b"s")
    assert store.get("a", 100) == b"s"


def test_two_stores_of_one_url_see_the_same_objects(store):
    store.put("a/b", b"1")
    assert Store(store.url).get("a/b", 1) == b"1"


def test_what_is_not_there_is_none_and_no_error(store):
    assert store.get("nothing", 10) is None
    assert store.get("no/folder/either", 10) is None
    store.put("a/b", b"1")
    assert store.get("a", 10) is None
    assert store.list("nothing") == []
    store.delete("nothing")


def test_an_object_longer_than_the_cap_is_refused(store):
    store.put("a", b"12345")
    assert store.get("a", 5) == b"12345"
    with pytest.raises(MessageError, match="longer than the 4 bytes allowed"):
        store.get("a", 4)


def test_list_names_what_stands_directly_below_sorted(store):
    for path in ("b/2", "b/1", "b/deep/3", "top"):
        store.put(path, b"")
    assert store.list() == ["b", "top"]
    assert store.list("b") == ["1", "2", "deep"]
    assert store.list("b/1") == []


def test_list_hides_temporary_files_and_names_that_no_object_can_have(store):
    store.put("a/real", b"")
    for name in (".0123456789abcdef.part", ".hidden", "space name", "-dash"):
        store._fs.pipe_file(f"{store._root}/a/{name}", b"half")
    assert store.list("a") == ["real"]


def test_exists_tells_objects_and_folders_from_nothing(store):
    store.put("a/b", b"")
    assert [store.exists(p) for p in ("a", "a/b", "a/c")] == [True, True, False]


def test_a_deleted_object_is_gone(store):
    store.put("a/b", b"1")
    store.delete("a/b")
    assert store.get("a/b", 1) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/..",
        "a//b",
        "a/",
        ".",
        "./a",
        ".hidden",
        "a/.part",
        "a..b",
        "-rf",
        "a b",
        "a\nb",
        "a\x00b",
        "a\\b",
        "é",
        "*",
        "a?b",
        "[a]",
        "~",
        "x" * 129,
    ],
)
def test_a_path_that_is_not_canonical_is_refused_by_every_operation(store, path):
    for operation in (
        lambda: store.put(path, b""),
        lambda: store.get(path, 1),
        lambda: store.delete(path),
        lambda: store.exists(path),
        lambda: store.put_file(path, io.BytesIO()),
        lambda: store.get_head(path, 1),
        lambda: store.stamp(path),
        lambda: store.open(path, 1).__enter__(),
    ):
        with pytest.raises(MessageError, match="not a canonical path"):
            operation()
    if path:
        with pytest.raises(MessageError):
            store.list(path)


def test_memory_refuses_a_put_over_a_folder_and_one_below_an_object():
    store = Store(f"memory://{secrets.token_hex(8)}")
    store.put("a/b", b"1")
    for path in ("a", "a/b/c"):
        with pytest.raises(StoreError, match="cannot be written"):
            store.put(path, b"2")
    assert store.list("a") == ["b"]
    assert len(store._fs.ls(f"{store._root}/a", detail=False)) == 1


def test_what_lies_in_a_folder_where_an_object_belongs_is_set_aside_whole(tmp_path):
    store = Store(str(tmp_path))
    store.put("a/b", b"1")
    store.put("a", b"2")
    assert (store.get("a", 1), store.list()) == (b"2", ["a"])
    (aside,) = [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert aside.name.endswith(".aside")
    assert (aside / "b").read_bytes() == b"1"


def test_an_object_where_a_folder_belongs_is_set_aside(tmp_path):
    store = Store(str(tmp_path))
    store.put("a", b"1")
    store.put_file("a/b", io.BytesIO(b"2"))
    assert (store.get("a/b", 1), store.list()) == (b"2", ["a"])
    assert [p.read_bytes() for p in tmp_path.iterdir() if p.name.startswith(".")] == [b"1"]


def test_a_folder_that_is_deleted_as_an_object_stays(tmp_path):
    store = Store(str(tmp_path))
    store.put("a/b", b"1")
    for path in ("a", "a/b/c"):
        store.delete(path)
    assert store.get("a/b", 1) == b"1"


def test_a_store_that_cannot_be_written_says_whose_it_is_and_what_to_check(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = Store(str(tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match="cannot be written") as caught:
        store.check_writable()
    assert caught.value.whose == "whoever operates the store"
    assert "permissions" in caught.value.next_step
    assert store.get("a", 1) is None
    assert store.list() == []


def test_a_store_that_works_passes_its_check_and_keeps_nothing_of_it(store):
    store.check_writable()
    assert store.list() == []


def test_a_store_that_returns_something_else_fails_its_check(store, monkeypatch):
    monkeypatch.setattr(store, "get", lambda path, max_bytes: b"x" * 16)
    with pytest.raises(StoreError, match="does not return what was written"):
        store.check_writable()


class Broken:
    """A file system that fails as a network does."""

    protocol = "broken"

    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise ConnectionResetError(104, "Connection reset by peer")

        return fail

    def invalidate_cache(self):
        pass


@pytest.mark.parametrize(
    "operation",
    [
        lambda s: s.put("a", b""),
        lambda s: s.get("a", 1),
        lambda s: s.list(),
        lambda s: s.delete("a"),
        lambda s: s.exists("a"),
        lambda s: s.put_file("a", io.BytesIO()),
        lambda s: s.get_head("a", 1),
        lambda s: s.stamp("a"),
        lambda s: s.open("a", 1).__enter__(),
    ],
)
def test_a_network_failure_is_a_store_error_in_every_operation(store, operation):
    store._fs, store._local, store._memory = Broken(), False, False
    with pytest.raises(StoreError, match="Connection reset by peer"):
        operation(store)


def test_other_carriers_get_a_temporary_object_and_a_move(store):
    moved = []

    class Remote:
        protocol = ("sftp", "ssh")

        def makedirs(self, path, exist_ok):
            assert exist_ok

        def pipe_file(self, path, data):
            moved.append(path)

        def mv(self, part, target):
            assert moved == [part]
            moved.append(target)

    store._fs, store._local, store._memory = Remote(), False, False
    store.put("a/b", b"1")
    part, target = (p.removeprefix(store._root) for p in moved)
    assert target == "/a/b"
    assert part.startswith("/a/.")
    assert part.endswith(".part")


@pytest.mark.parametrize("url", ["nosuchprotocol://x", "nosuch::chained://x"])
def test_an_unknown_kind_of_store_is_refused_with_its_url(url):
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store(url)
    assert url in str(caught.value)


def test_a_reader_in_another_thread_never_sees_half_an_object(store):
    versions = [bytes([65 + i]) * 300_000 for i in range(4)]
    store.put("x/y", versions[0])
    faults, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            data = store.get("x/y", 300_000)
            if data not in versions:
                faults.append(None if data is None else len(data))

    def watched():
        try:
            read()
        except Exception as error:  # noqa: BLE001 - a thread's error must fail the test
            faults.append(error)

    readers = [threading.Thread(target=watched) for _ in range(3)]
    for r in readers:
        r.start()
    for i in range(60):
        store.put("x/y", versions[i % 4])
    stop.set()
    for r in readers:
        r.join()
    assert faults == []
    assert store.list("x") == ["y"]


def test_polling_yields_the_first_thing_found_and_stops():
    answers = iter([None, None, 7, 8])
    assert list(poll(lambda: next(answers), seconds=10, first=0, longest=0)) == [7]


def test_polling_gives_up_at_the_deadline_after_a_last_look():
    looks = []
    assert list(poll(lambda: looks.append(1), seconds=0.02, first=0.005)) == []
    assert len(looks) >= 2


def test_polling_without_time_still_looks_once():
    assert list(poll(lambda: "there", seconds=0)) == ["there"]
    assert list(poll(lambda: None, seconds=0)) == []


def test_a_pipe_or_a_link_in_a_shared_folder_is_no_object(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "private.csv").write_bytes(b"a record")
    os.mkfifo(tmp_path / "store" / "pipe")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "private.csv")
    (tmp_path / "store" / "loop").symlink_to("loop")
    store = Store(str(tmp_path / "store"))
    assert [store.get(name, 100) for name in ("pipe", "link", "loop")] == [None, None, None]
    assert store.list() == []


class Drip(io.RawIOBase):
    """Hands out a few bytes at a time."""

    def __init__(self, data):
        self._data, self.read_at_most = io.BytesIO(data), 0

    def read(self, size=-1):
        self.read_at_most = max(self.read_at_most, size)
        return self._data.read(min(size, 3))


def through(store, path, cap, piece=3):
    with store.open(path, cap) as file:
        return None if file is None else b"".join(iter(lambda: file.read(piece), b""))


def test_a_file_is_put_piece_by_piece_and_read_so(any_store):
    any_store.put_file("a/b", io.BytesIO(b"long content"))
    assert any_store.get("a/b", 12) == through(any_store, "a/b", 12) == b"long content"
    source = io.BytesIO(b"head|rest")
    source.seek(5)
    any_store.put_file("a/b", source)
    assert any_store.get("a/b", 100) == b"rest"
    assert any_store.list("a") == ["b"]


def test_a_file_is_never_read_as_a_whole(tmp_path):
    source = Drip(bytes(10))
    Store(str(tmp_path)).put_file("a", source)
    assert 0 < source.read_at_most < 1 << 22


def test_a_file_that_breaks_off_replaces_nothing(tmp_path):
    store = Store(str(tmp_path))
    store.put("a", b"old")

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreError, match="Input/output error"):
        store.put_file("a", Broken())
    assert store.get("a", 3) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_reading_piece_by_piece_ends_at_the_cap(any_store):
    any_store.put("a", b"12345")
    assert through(any_store, "a", 5) == b"12345"
    with any_store.open("a", 4) as file:
        assert file.read(4) == b"1234"
        with pytest.raises(MessageError, match="longer than the 4 bytes allowed"):
            file.read(1)
    with any_store.open("a", 4) as file, pytest.raises(MessageError, match="longer than"):
        file.read(100)


def test_a_head_is_as_much_as_was_asked_for(any_store):
    any_store.put("a", b"12345")
    assert [any_store.get_head("a", n) for n in (0, 2, 9)] == [b"", b"12", b"12345"]


def test_what_is_not_there_has_no_pieces_no_head_and_no_stamp(any_store):
    any_store.put("folder/a", b"")
    for path in ("nothing", "folder", "folder/a/b"):
        assert through(any_store, path, 1) is None
        assert any_store.get_head(path, 1) is None


def test_a_stamp_is_another_when_the_object_is(any_store):
    assert any_store.stamp("a") is None
    any_store.put("a", b"1")
    first = any_store.stamp("a")
    assert first == any_store.stamp("a") is not None
    any_store.put("a", b"2")
    assert any_store.stamp("a") not in {first, None}


def test_a_file_that_is_written_in_place_has_another_stamp(tmp_path):
    store = Store(str(tmp_path))
    store.put("a", b"1")
    first = store.stamp("a")
    with (tmp_path / "a").open("r+b") as file:
        file.write(b"2")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert store.stamp("a") != first


def test_links_and_pipes_have_no_pieces_no_head_and_no_stamp(tmp_path):
    store = Store(str(tmp_path / "s"))
    store.put("real", b"1")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "s" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "s" / "pipe")
    for name in ("link", "pipe"):
        assert (through(store, name, 9), store.get_head(name, 9), store.stamp(name)) == (
            None,
            None,
            None,
        )


def test_a_store_that_says_nothing_about_changes_gives_no_stamp(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    store.put("a", b"1")
    store._local = False
    monkeypatch.setattr(store._fs, "info", lambda path: {"name": path, "size": 1, "ETag": None})
    assert store.stamp("a") is None


def test_a_network_that_fails_between_two_pieces_is_a_store_error(tmp_path, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError(104, "Connection reset by peer")

    store = Store(str(tmp_path))
    store._local = False
    monkeypatch.setattr(store._fs, "open", lambda path, mode: Failing())
    with store.open("a", 1) as file, pytest.raises(StoreError, match="Connection reset"):
        file.read(1)


def test_a_failure_of_the_reader_is_no_failure_of_the_store(any_store):
    any_store.put("a", b"1")
    with pytest.raises(OSError, match="disk full"), any_store.open("a", 1):
        raise OSError(28, "disk full")


# --- a store that is away for a while
# --------------------------------------------------------------------------------


class Away:
    """Fails so many times, then says how often it was asked."""

    def __init__(self, times):
        self.times, self.asked = times, 0

    def __call__(self):
        self.asked += 1
        if self.asked <= self.times:
            raise StoreError(f"away {self.asked}")
        return self.asked


def test_a_store_that_comes_back_in_time_is_all_the_same_and_is_said_once():
    told = []
    assert persist(Away(3), 60, told.append) == 4
    assert [error.what for error in told] == ["away 1"]
    assert persist(Away(0), 0, told.append) == 1
    assert len(told) == 1


def test_a_store_that_stays_away_is_the_error_when_the_time_is_over():
    never, told = Away(10**9), []
    with pytest.raises(StoreError, match="away"):
        persist(never, 0.2, told.append)
    assert never.asked >= 2
    once = Away(1)
    with pytest.raises(StoreError, match="away 1"):
        persist(once, 0, told.append)
    assert (once.asked, len(told)) == (1, 1)  # who does not try again says nothing


def test_only_the_store_is_forgiven():
    with pytest.raises(ZeroDivisionError):
        persist(lambda: 1 / 0, 60)


def test_polling_goes_on_while_the_store_is_away():
    assert list(poll(Away(2), seconds=60)) == [3]
    with pytest.raises(StoreError):
        list(poll(Away(10**9), seconds=0.1))
