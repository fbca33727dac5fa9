import os
import secrets
import threading

import pytest

from securefl.errors import MessageError, StoreError
from securefl.store import Store, poll


@pytest.fixture(params=["folder", "file url", "memory"])
def store(request, tmp_path):
    urls = {"folder": str(tmp_path / "s"), "file url": f"file://{tmp_path}/s", "memory": f"memory://{secrets.token_hex(8)}"}
    return Store(urls[request.param])


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
    ["", "/", "/etc/passwd", "../x", "a/../b", "a/..", "a//b", "a/", ".", "./a", ".hidden", "a/.part", "a..b", "-rf", "a b", "a\nb", "a\x00b", "a\\b", "é", "*", "a?b", "[a]", "~", "x" * 129],
)
def test_a_path_that_is_not_canonical_is_refused_by_every_operation(store, path):
    for operation in (lambda: store.put(path, b""), lambda: store.get(path, 1), lambda: store.delete(path), lambda: store.exists(path)):
        with pytest.raises(MessageError, match="not a canonical path"):
            operation()
    if path:
        with pytest.raises(MessageError):
            store.list(path)


def test_a_put_over_a_folder_is_refused_and_hides_nothing_in_it(store):
    store.put("a/b", b"1")
    with pytest.raises(StoreError, match="cannot be written"):
        store.put("a", b"2")
    assert store.list("a") == ["b"]
    assert len(store._fs.ls(f"{store._root}/a", detail=False)) == 1


def test_a_put_below_an_object_is_refused(store):
    store.put("a", b"1")
    with pytest.raises(StoreError, match="cannot be written"):
        store.put("a/b", b"2")
    assert store.get("a", 1) == b"1"


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


@pytest.mark.parametrize("operation", [
    lambda s: s.put("a", b""), lambda s: s.get("a", 1), lambda s: s.list(), lambda s: s.delete("a"), lambda s: s.exists("a"),
])
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
