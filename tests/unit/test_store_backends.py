"""Stores of other kinds: each has errors of its own, and some clients are not made for several
threads.
"""

import os
import secrets
import threading

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from securefl import store as module
from securefl.errors import MessageError, StoreError
from securefl.store import Store


class BackendError(Exception):
    """No OSError, as botocore's, paramiko's and ftplib's are none."""


class Odd(LocalFileSystem):
    """A folder spoken to as a remote store; fails on demand with an error of its own."""

    protocol = "odd"
    root_marker = "/"
    failing = None
    inside = ()
    together = 0
    slow = threading.Event()

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(str(path).removeprefix("odd://"))


class Reader:
    """An open file whose reads go through the client, as paramiko's do."""

    def __init__(self, client, file):
        self._client, self._file = client, file

    def read(self, size=-1):
        return self._client.call(lambda: self._file.read(size))

    def write(self, data):
        return self._client.call(lambda: self._file.write(data))

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def method(name):
    def called(self, *args, **kwargs):
        return self.call(lambda: getattr(LocalFileSystem, name)(self, *args, **kwargs))

    return called


def call(self, work):
    kind = type(self)
    if kind.failing is not None:
        raise kind.failing
    me = threading.get_ident()
    kind.inside = (*kind.inside, me)
    try:
        kind.slow.wait(0.002)  # gives the other threads their chance
        if set(kind.inside) - {me}:
            kind.together += 1
        return work()
    finally:
        kind.inside = tuple(t for t in kind.inside if t != me)


Odd.call = call
for _name in ("pipe_file", "mv", "makedirs", "info", "exists", "ls", "rm_file", "cat_file"):
    setattr(Odd, _name, method(_name))
Odd.open = lambda self, path, mode="rb", **kwargs: self.call(
    lambda: Reader(self, LocalFileSystem.open(self, path, mode, **kwargs))
)


@pytest.fixture
def odd(monkeypatch, tmp_path):
    fsspec.register_implementation("odd", Odd, clobber=True)
    monkeypatch.setattr(Odd, "failing", None)
    monkeypatch.setattr(Odd, "together", 0)
    made = Store(f"odd://{tmp_path}/s")
    assert not made._local
    made.put("a/b", b"data")
    return made


CALLS = {
    "put": lambda s: s.put("a/c", b"1"),
    "put_file": lambda s: s.put_file("a/c", open(os.devnull, "rb")),  # noqa: PTH123, SIM115
    "get": lambda s: s.get("a/b", 10),
    "get_head": lambda s: s.get_head("a/b", 2),
    "open": lambda s: s.open("a/b", 10).__enter__(),
    "stamp": lambda s: s.stamp("a/b"),
    "exists": lambda s: s.exists("a/b"),
    "list": lambda s: s.list("a"),
    "delete": lambda s: s.delete("a/b"),
    "check_writable": lambda s: s.check_writable(),
    "mark": lambda s: s.mark("securefl-store/1 " + "0" * 32),
}


@pytest.mark.parametrize(
    "error",
    [
        BackendError("no credentials"),
        EOFError(),
        ValueError("odd"),
        RuntimeError("closed"),
        TimeoutError(),
        OSError(5, "I/O error"),
        PermissionError(13, "denied"),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_whatever_a_backend_raises_is_the_stores_error(odd, name, error, monkeypatch):
    monkeypatch.setattr(Odd, "failing", error)
    with pytest.raises(StoreError, match=r"cannot be (read|written)") as caught:
        CALLS[name](odd)
    assert caught.value.exit_code == 10
    assert caught.value.next_step


def test_an_error_in_the_middle_of_a_file_is_the_stores_error(odd, monkeypatch):
    with odd.open("a/b", 100) as file:
        assert file.read(1) == b"d"
        monkeypatch.setattr(Odd, "failing", BackendError("gone"))
        with pytest.raises(StoreError, match="gone"):
            file.read(1)


def test_what_is_not_there_stays_none(odd):
    assert odd.get("a/none", 1) is None
    assert odd.stamp("a/none") is None
    assert odd.list("none") == []
    assert not odd.exists("none")
    odd.delete("none")
    with odd.open("a/none", 1) as file:
        assert file is None


def test_a_store_that_cannot_be_opened_is_the_stores_error(monkeypatch, tmp_path):
    class Closed(Odd):
        protocol = "closed"

        def __init__(self, **_kwargs):
            raise BackendError("connection refused")

    fsspec.register_implementation("closed", Closed, clobber=True)
    with pytest.raises(StoreError, match="cannot be opened: connection refused"):
        Store(f"closed://{tmp_path}/s")


def hammer(stores):
    """Use the stores from several threads at once; what they raised."""
    errors = []

    def one(store, number):
        try:
            for i in range(5):
                store.put(f"t/{number}-{i}", bytes([number]))
                assert store.get(f"t/{number}-{i}", 1) == bytes([number])
                with store.open("a/b", 10) as file:
                    assert file.read(10) == b"data"
                store.list("t")
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=one, args=(s, n)) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(t.is_alive() for t in threads)
    return errors


def test_a_client_that_is_not_made_for_threads_gets_one_call_at_a_time(odd):
    """Two stores of one URL share the client, as PySyft's thread pool and the agent do."""
    assert hammer([odd, odd, Store(odd.url), Store(odd.url)]) == []
    assert Odd.together == 0


def test_control_without_turns_the_client_is_called_from_several_threads(odd, monkeypatch):
    import contextlib

    monkeypatch.setattr(odd, "_turn", contextlib.nullcontext())
    hammer([odd] * 4)
    assert Odd.together > 0


def test_a_folder_and_memory_need_no_turns(tmp_path):
    for url in (str(tmp_path), f"memory://{secrets.token_hex(4)}"):
        assert Store(url)._turn is not module._ONE_AT_A_TIME


MARK, OTHER = ("securefl-store/1 " + c * 32 for c in "ab")


@pytest.fixture(params=["folder", "odd"])
def url(request, tmp_path):
    fsspec.register_implementation("odd", Odd, clobber=True)
    return f"odd://{tmp_path}/s" if request.param == "odd" else str(tmp_path / "s")


def test_the_first_marks_a_store_and_the_others_keep_the_mark(url):
    assert Store(url).mark(MARK) == MARK
    assert Store(url).mark(OTHER) == MARK
    assert Store(url).list() == []
    with pytest.raises(MessageError):
        Store(url).get("a/../b", 1)


def test_at_another_store_nothing_is_read_and_nothing_is_written(url):
    Store(url).put("a/b", b"theirs")
    for before in (None, OTHER):
        if before:
            Store(url).mark(before)
        mine = Store(url, MARK)
        for name, work in CALLS.items():
            if name == "mark":
                continue
            with pytest.raises(StoreError, match="not the store that was used here before"):
                work(mine)
    assert Store(url).get("a/b", 10) == b"theirs"
    assert Store(url).list("a") == ["b"]


def test_a_mount_that_goes_and_comes_is_noticed_each_time(tmp_path):
    root = tmp_path / "mnt"
    Store(str(root)).mark(MARK)
    store = Store(str(root), MARK)
    store.put("a", b"1")
    root.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(StoreError, match="not the store"):
            store.put("a", b"2")
        assert not root.exists()
        root.mkdir()  # an empty mount point
        with pytest.raises(StoreError, match="not the store"):
            store.get("a", 1)
        assert list(root.iterdir()) == []
        root.rmdir()
    (tmp_path / "away").rename(root)
    assert store.get("a", 1) == b"1"


@pytest.mark.parametrize("data", [b"", b"something else", b"\xff\xfe", b"x" * 200])
def test_what_marks_no_store_is_refused(url, data):
    Store(url).put("securefl-store", data)
    with pytest.raises(StoreError, match="marks no store"):
        Store(url).mark(MARK)
    with pytest.raises(StoreError, match="not the store"):
        Store(url, MARK).get("a", 1)
