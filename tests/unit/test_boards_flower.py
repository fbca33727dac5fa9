"""Flower as a carrier: spools, parcels, what the ServerApp keeps, the app that is written."""

import json
import tomllib
from itertools import count
from pathlib import Path

import pytest
from board_conformance import BoardConformance
from click.testing import CliRunner

pytest.importorskip("flwr", reason="Flower is not installed: pip install 'securefl[flower]'")

from flower_grid import AcrossBoard, Link

from securefl.boards.flower import spool as spools
from securefl.boards.flower.parcel import Change, Delivery, Report, pack, unpack
from securefl.boards.flower.parcel_store import ParcelStore
from securefl.boards.flower.spool import Spool
from securefl.boards.opening import open_board
from securefl.cli.main import cli
from securefl.errors import MessageError, StoreError, UsageError


class TestSpool(BoardConformance):
    """A party at its own spool, connected or not."""

    knows_the_first = False

    @pytest.fixture
    def opened(self, tmp_path):
        Spool.create(tmp_path / "spool")
        return lambda marker: open_board(f"flower://{tmp_path}/spool", marker)


class TestAcross(BoardConformance):
    """What one party posts and another reads, over Flower's messages; each board the other way."""

    #: These messages are carried within the thread that made the network.
    test_of_writers_at_once_one_is_first = None

    @pytest.fixture
    def opened(self, tmp_path):
        link, turns = Link(tmp_path), count()
        yield lambda marker: AcrossBoard(link, marker, turned=next(turns) % 2 == 1)
        assert not any(link.grid.refused.values())


@pytest.fixture
def link(tmp_path):
    return Link(tmp_path, 3)


@pytest.fixture
def boards(link):
    return [open_board(f"flower://{spool.folder}") for spool in link.spools]


def test_what_one_posts_all_others_find_and_the_last_post_of_a_path_wins(link, boards):
    boards[0].post("a", b"first")
    link.settle()
    boards[1].post("a", b"second")
    boards[2].post("b", b"3")
    link.settle()
    assert {board.read("a", 9) for board in boards} == {b"second"}
    boards[0].post("a", b"x")
    boards[1].post("a", b"y")  # at once: the order of arrival decides, for all the same
    link.settle()
    assert len({board.read("a", 9) for board in boards}) == 1
    assert all(board.names() == ["a", "b"] for board in boards)
    boards[2].erase("a")
    link.settle()
    assert all(board.names() == ["b"] for board in boards)


def test_posts_arrive_in_their_order(link, boards):
    taken = []
    link.spools[1].objects.write = lambda path, _: taken.append(path)
    for path in ("key", "model", "announcement"):
        boards[0].post(path, b"1")
    link.settle()
    assert taken == ["key", "model", "announcement"]


def test_a_party_that_comes_late_or_lost_its_spool_gets_everything(link, boards, tmp_path):
    boards[0].post("a", b"1")
    boards[1].post("b", b"2")
    link.settle()
    new = Spool.create(tmp_path / "new")
    link.grid.spools[2] = new
    link.carry(8)
    assert open_board(f"flower://{new.folder}").names() == ["a", "b"]


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5, 6])
def test_a_message_that_is_lost_on_the_way_loses_no_object(link, boards, lost):
    numbers = count(1)
    link.grid.down = lambda _, parcel: None if next(numbers) % (lost + 1) == 0 else parcel
    for i in range(4):
        boards[i % 2].post(f"x{i}", b"1")
        link.carry(3)
    link.grid.down = lambda _, parcel: parcel
    link.settle()
    link.carry(6)
    assert all(board.names() == ["x0", "x1", "x2", "x3"] for board in boards)


def test_a_delivery_or_a_report_that_comes_twice_changes_nothing(link, boards):
    boards[0].post("a", b"1")
    report, changes = link.spools[0].report()
    assert [link.kept.accept(report, changes) for _ in range(3)] == [1, 0, 0]
    delivery, objects = link.kept.delivery("f" * 32, 0)
    assert [link.spools[1].take(delivery, objects) for _ in range(3)] == [1, 0, 0]
    boards[1].post("a", b"newer, not sent yet")
    late = delivery.model_copy(update={"upto": 9}), [Change("a", 9, b"old")]
    assert link.spools[1].take(*late) == 0
    assert boards[1].read("a", 30) == b"newer, not sent yet"


def test_an_app_that_starts_again_goes_on(link, boards, tmp_path):
    boards[0].post("a", b"1")
    link.carry(1)
    boards[1].post("b", b"2")
    link.kept.close()
    link.kept = ParcelStore(tmp_path / "store.db")
    link.restart()
    link.settle()
    assert all(board.names() == ["a", "b"] for board in boards)


def test_another_store_is_not_taken_for_the_one_before(link, boards, tmp_path):
    boards[0].post("a", b"1")
    link.settle()
    other = ParcelStore(tmp_path / "other.db")
    with pytest.raises(StoreError, match="keeps another store"):
        link.spools[0].take(*other.delivery("", 0))
    link.restart(other)
    link.carry()
    assert boards[0].read("a", 1) == boards[1].read("a", 1) == b"1"
    assert {str(e.code) for errors in link.grid.refused.values() for e in errors} == {"store"}


@pytest.mark.parametrize("killed_at", ["_make", "objects"])
def test_a_post_that_was_killed_half_way_is_finished_by_whoever_comes_next(
    link, boards, monkeypatch, killed_at
):
    boards[0].post("a", b"old")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed_at == "_make":
            patch.setattr(spools.Spool, "_make", killed)
        else:
            patch.setattr(boards[0]._carrier._spool.objects, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            boards[0].post("a", b"new")
    link.settle()
    assert [board.read("a", 9) for board in boards] == [b"new"] * 3
    assert [spool.waiting for spool in link.spools] == [0, 0, 0]


def test_large_objects_travel_over_several_messages(link, boards, monkeypatch):
    monkeypatch.setattr("securefl.boards.flower.spool.FULL", 100)
    monkeypatch.setattr("securefl.boards.flower.parcel_store.FULL", 100)
    for i in range(5):
        boards[0].post(f"x{i}", bytes([i]) * 80)
    assert len(link.spools[0].report()[1]) == 1
    link.settle()
    link.carry(12)
    assert boards[2].names() == [f"x{i}" for i in range(5)]


def a_report(*paths):
    changes = [Change(path, i + 1, b"12") for i, path in enumerate(paths)]
    entries = tuple(change.entry for change in changes)
    return pack(Report(spool="a" * 32, store="", cursor=0, entries=entries), changes)


@pytest.mark.parametrize(
    "broken",
    [
        lambda p: b"",
        lambda p: p[:3],
        lambda p: p[:-1],
        lambda p: p + b"x",
        lambda p: b"\xff" * 4 + p[4:],
        lambda p: p.replace(b'"cursor":0', b'"cursor":-'),
        lambda p: p.replace(b'"cursor":0', b'"cursoR":0'),
        lambda p: p.replace(b'"number":2', b'"number":1'),
        lambda p: p.replace(b'"size":2', b'"size":3', 1),
        lambda p: p.replace(b"report/1", b"report/2"),
        lambda p: p.replace(b"x/one", b"../ne"),
        lambda p: p.replace(b"x/one", b"/etc1"),
    ],
)
def test_what_is_no_parcel_is_refused_whole(broken):
    parcel = a_report("x/one", "x/two")
    assert len(unpack(parcel, Report)[1]) == 2
    with pytest.raises(MessageError):
        unpack(broken(parcel), Report)
    with pytest.raises(MessageError):
        unpack(parcel, Delivery)


def test_a_folder_that_is_no_spool_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="no spool is there"):
        open_board(f"flower://{tmp_path}/none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="not empty"):
        Spool.create(tmp_path / "full")


def test_a_folder_of_objects_is_a_store_of_its_own(link, boards):
    below = open_board(f"flower://{link.spools[0].folder}/one/two")
    below.post("a", b"1")
    link.settle()
    assert (below.names(), boards[1].names(), boards[1].read("one/two/a", 1)) == (
        ["a"],
        ["one"],
        b"1",
    )


def said(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_the_commands_make_a_spool_and_say_where_it_stands(tmp_path):
    spool = tmp_path / "spool"
    made = said("flower", spool, "--make")
    assert made.exit_code == 0
    assert "--superexec-auth-secret-file" in made.output
    assert (spool / "supernode.secret").stat().st_mode & 0o777 == 0o600
    open_board(f"flower://{spool}").post("a", b"1")
    facts = json.loads(said("flower", spool, "--json", "-").output)
    assert facts == {"spool": str(spool), "store": "", "waiting": 1}
    assert "wait to be sent: 1" in said("flower", spool, "--status").output


@pytest.mark.parametrize("address", ["rubbish", "localhost:", "localhost:99999", ":80", "a:b"])
def test_what_is_no_address_of_a_supernode_is_refused_before_anything_is_made(tmp_path, address):
    refused = said("flower", tmp_path / "spool", "--supernode", address)
    assert isinstance(refused.exception, UsageError)
    assert not (tmp_path / "spool").exists()


def test_the_app_names_a_server_and_a_client_that_carries_nothing(tmp_path):
    app = tmp_path / "app"
    assert said("study", "flower", app, "--store-file", '/srv/a "b".db').exit_code == 0
    project = tomllib.loads((app / "pyproject.toml").read_text())
    assert project["tool"]["flwr"]["app"]["config"]["store"] == '/srv/a "b".db'
    assert project["project"]["dependencies"] == []
    for file in Path(app / "securefl_store").iterdir():
        compile(file.read_text(), str(file), "exec")
    assert isinstance(said("study", "flower", app).exception, UsageError)
    relative = said("study", "flower", tmp_path / "b", "--store-file", "store.db")
    assert isinstance(relative.exception, UsageError)
