"""A hostile ServerApp: whatever it sends, each hospital answers what its study says and nothing else.

Controls: Flower's own ClientApp does what the server sent; and with the researcher's key, at
hospitals that do not verify, other weights are followed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("flwr", reason="Flower is not installed: pip install 'securefl[flower]'")

from conftest import fixed_identity
from flower_grid import AcrossBoard, Link
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from followed_study import FollowedStudy
from in_process_federation import NAMES, Room, sealed_study

from securefl.boards.flower.parcel import Change, Delivery, Report, pack, unpack
from securefl.boards.flower.server import FIELD, RECORD, parcel_of
from securefl.boards.flower.spool import Spool
from securefl.boards.flower.spool_runner import answer
from securefl.errors import BrokenRuleError, MessageError, SecureFLError
from securefl.federation.paths import RoundPaths

PLAN = sealed_study(("rounds = 4", "rounds = 3"), ("steps = 4", "steps = 3"))[1]
SERVER = fixed_identity("Server", "researcher")


class Hostile:
    """Changes what goes down to the hospitals' side: ``change(path, data)``, None to drop it."""

    def __init__(self, link, change):
        self.link, self.change, self.seen = link, change, {}
        link.grid.down = self

    def __call__(self, node, parcel):
        if node != 2:  # the coordinator's own side is left alone
            return parcel
        delivery, changes = unpack(parcel, Delivery)
        sent = []
        for one in changes:
            self.seen.setdefault(one.path, one.data)
            data = self.change(one.path, one.data)
            if data is not None:
                sent.append(replace(one, data=data))
        entries = tuple(one.entry for one in sent)
        return pack(delivery.model_copy(update={"entries": entries}), sent)


class OverFlower(FollowedStudy):
    """A whole study whose coordinator posts at one spool, and whose hospitals read at another."""

    def __init__(self, folder, change=None, *, checked=True, coordinator=None):
        folder.mkdir()
        more = {} if coordinator is None else {"coordinator": coordinator}
        super().__init__(PLAN, folder / "unused", checked=checked, **more)
        self.link = Link(folder)
        board = AcrossBoard(self.link)
        self.board = self.exchange.board = self.exchange._board = board
        collect = self.exchange.collect  # what will come is there when it is looked for
        self.exchange.collect = lambda arrivals, seconds: collect(arrivals, min(seconds, 0.5))
        self.server = Hostile(self.link, change or (lambda _, data: data))


def test_the_control_an_honest_server_carries_a_study_to_its_end(tmp_path):
    study = OverFlower(tmp_path / "s")
    study.run()
    assert set(study.answered().values()) == {PLAN.last_round}
    assert all(study.exchange.end().values())


class Crafted:
    """Puts an announcement of the server's into the place of the coordinator's.

    Args:
        number: the round.
        by: whose key signs it.
        changes: for :meth:`Room.announce`.
    """

    def __init__(self, number, by, **changes):
        self.number, self.by, self.changes = number, by, changes
        self.room = self.given = None

    def __call__(self, path, data):
        at = RoundPaths(PLAN.digest, self.number)
        if path not in {at.announcement, at.key, at.model}:
            return data
        if self.given is None:
            signer = {"server": SERVER, "researcher": self.room.researcher}[self.by].sign
            _, self.given = self.room.announce(
                self.number, sign=signer, key_signer=signer, **self.changes
            )
        return {
            at.announcement: self.given.announcement,
            at.key: self.given.key,
            at.model: self.given.model,
        }[path]


def crafted_study(folder, number, by, *, checked=True, **changes):
    change = Crafted(number, by, **changes)
    study = OverFlower(folder, change, checked=checked)
    change.room = study.room
    return study


ROOM = Room(PLAN)
ATTACKS = {
    "other weights": (2, lambda: {"theta": np.full_like(ROOM.theta, 7.0)}),
    "a smaller cohort": (1, lambda: {"cohort": NAMES[:2]}),
    "the coordinator's words under another key": (1, dict),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_server_makes_itself_no_hospital_follows(attack, tmp_path):
    number, changes = ATTACKS[attack]
    study = crafted_study(tmp_path / "s", number, "server", **changes())
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(NAMES)
    assert set(study.answered().values()) == {number - 1}


def test_with_the_researchers_key_too_other_weights_are_refused_by_who_verifies(tmp_path):
    number, changes = ATTACKS["other weights"]
    study = crafted_study(tmp_path / "s", number, "researcher", **changes())
    with pytest.raises(BrokenRuleError, match="does not start from"):
        study.run()
    assert set(study.answered().values()) == {1}


def test_the_control_with_the_researchers_key_who_does_not_verify_follows(tmp_path):
    number, changes = ATTACKS["other weights"]
    study = crafted_study(tmp_path / "s", number, "researcher", checked=False, **changes())
    with pytest.raises(SecureFLError):  # the coordinator has another key than the server's round
        study.run()
    assert set(study.answered().values()) == {2}


def test_an_older_announcement_put_in_the_place_of_a_newer_one_is_refused(tmp_path):
    first, second = RoundPaths(PLAN.digest, 1), RoundPaths(PLAN.digest, 2)
    study = OverFlower(tmp_path / "s")
    older = {
        second.announcement: first.announcement,
        second.key: first.key,
        second.model: first.model,
    }
    study.server.change = lambda path, data: study.server.seen.get(older.get(path), data)
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(NAMES)
    assert set(study.answered().values()) == {1}


@pytest.mark.parametrize("by", ["server", "researcher"])
def test_a_round_beyond_the_studys_last_is_refused(by, tmp_path):
    study = OverFlower(tmp_path / "s")
    study.run()
    signer = {"server": SERVER, "researcher": study.room.researcher}[by].sign
    _, given = study.room.announce(PLAN.last_round + 1, sign=signer, key_signer=signer)
    for hospital in study.exchange.hospitals.values():
        with pytest.raises(SecureFLError):
            hospital.answer(given)
    assert set(study.answered().values()) == {PLAN.last_round}


def test_without_a_contribution_that_the_server_holds_back_no_sum_is_made(tmp_path):
    held_back = RoundPaths(PLAN.digest, 1).contribution(NAMES[0])
    study = OverFlower(tmp_path / "s")
    study.server.change = lambda path, data: None if path == held_back else data
    with pytest.raises(AssertionError):  # the aggregator waits; this stand-in looks once
        study.run()
    assert study.board.names(str(held_back).rpartition("/")[0])
    assert study.board.read(RoundPaths(PLAN.digest, 1).sum, 1 << 30) is None


PRIVATE = b"patient 17: HIV positive"


def message(content):
    return Message(content, dst_node_id=2, message_type="train")


def test_the_control_flowers_own_client_app_does_what_the_server_sent(tmp_path):
    (tmp_path / "table.csv").write_bytes(PRIVATE)
    app = ClientApp()  # as it lies in the bundle that the server sends

    @app.train()
    def train(asked, context):
        found = (tmp_path / "table.csv").read_bytes()
        return Message(RecordDict({"x": ConfigRecord({"y": found})}), reply_to=asked)

    reply = app(message(RecordDict()), None)
    assert reply.content["x"]["y"] == PRIVATE


@pytest.mark.parametrize(
    "asked",
    [
        RecordDict(),
        RecordDict({"arrays": ArrayRecord([np.zeros(3)])}),
        RecordDict({RECORD: ConfigRecord({FIELD: "text"})}),
        RecordDict({RECORD: ConfigRecord({FIELD: b"x"}), "arrays": ArrayRecord([np.zeros(3)])}),
        RecordDict({RECORD: ConfigRecord({"run": b"train"})}),
    ],
)
def test_a_message_that_asks_for_work_is_no_parcel(asked):
    with pytest.raises(MessageError, match="no parcel"):
        parcel_of(message(asked))


@pytest.mark.parametrize(
    "path", ["../../keys/signing.key", "/etc/passwd", ".hidden", "a/../../b", "out/../../x"]
)
def test_a_path_that_leads_out_of_the_spool_is_refused_with_the_whole_parcel(path, tmp_path):
    spool = Spool.create(tmp_path / "spool")
    before = sorted(tmp_path.rglob("*"))
    changes = [Change("good", 1, b"1"), Change(path, 2, b"evil")]
    entries = tuple(change.entry for change in changes)
    delivery = Delivery(store="a" * 32, spool="", since=0, upto=2, accepted=0, entries=entries)
    with pytest.raises(MessageError, match="not a canonical path"):
        answer(spool, pack(delivery, changes))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_control_a_canonical_path_is_written(tmp_path):
    spool = Spool.create(tmp_path / "spool")
    changes = [Change("good/one", 1, b"1")]
    entries = tuple(change.entry for change in changes)
    delivery = Delivery(store="a" * 32, spool="", since=0, upto=1, accepted=0, entries=entries)
    answer(spool, pack(delivery, changes))
    assert spool.objects.open("good/one", 9).read() == b"1"


def test_a_server_that_says_it_keeps_what_was_never_sent_makes_nobody_forget_a_post(tmp_path):
    spool = Spool.create(tmp_path / "spool")
    word = Report.model_validate_json(spool.report()[0].model_dump_json()).spool
    lie = Delivery(store="a" * 32, spool=word, since=0, upto=0, accepted=1 << 40, entries=())
    answer(spool, pack(lie, []))
    spool.post("a", lambda file: file.write(b"1"))
    _, changes = spool.report()
    assert [change.path for change in changes] == ["a"]
