"""A SuperLink with its SuperNodes in one process: real messages of Flower, as bytes, no network."""

from __future__ import annotations

import itertools

from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as Wire
from flwr.supercore.task_identity import TaskIdentity

from securefl.boards.flower.parcel_store import ParcelStore
from securefl.boards.flower.server import FIELD, RECORD, Exchange, parcel_of
from securefl.boards.flower.spool import Spool
from securefl.boards.flower.spool_runner import answer
from securefl.boards.opening import open_board
from securefl.errors import SecureFLError

TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1


def over_the_wire(message):
    """The message after it was bytes."""
    return message_from_proto(Wire.FromString(message_to_proto(message).SerializeToString()))


class OneProcessGrid:
    """As Flower's Grid, with spools in the place of SuperNodes.

    Attributes:
        down: changes the parcel of a delivery on its way to a node: ``down(node, parcel)``; None
            drops the message.
        refused: node → errors of its spool.
    """

    def __init__(self, spools):
        self.spools = dict(enumerate(spools, 1))
        self.down = lambda node, parcel: parcel
        self.refused = {number: [] for number in self.spools}
        self._numbers = itertools.count(1)
        self._replies = {}

    def get_node_ids(self):
        return list(self.spools)

    def push_messages(self, messages):
        return [self._push(message) for message in messages]

    def _push(self, message):
        number = f"{next(self._numbers)}"
        message.metadata.__dict__["_message_id"] = number
        message.metadata.__dict__["_run_id"] = 1
        message.metadata.__dict__["_src_node_id"] = 1
        node = message.metadata.dst_node_id
        arrived = over_the_wire(message)
        parcel = self.down(node, parcel_of(arrived))
        if parcel is None:
            self._replies[number] = over_the_wire(Message(Error(1, "lost"), reply_to=arrived))
            return number
        try:
            sent, _, _ = answer(self.spools[node], parcel)
            reply = Message(RecordDict({RECORD: ConfigRecord({FIELD: sent})}), reply_to=arrived)
        except SecureFLError as error:
            self.refused[node].append(error)
            reply = Message(Error(1, error.code), reply_to=arrived)
        self._replies[number] = over_the_wire(reply)
        return number

    def pull_messages(self, numbers):
        return [self._replies.pop(number) for number in list(numbers) if number in self._replies]


class Link:
    """A store and spools that it carries between."""

    def __init__(self, folder, count=2):
        self.spools = [Spool.create(folder / f"spool-{i}") for i in range(count)]
        self.kept = ParcelStore(folder / "store.db")
        self.grid = OneProcessGrid(self.spools)
        self.time = 0.0
        self.exchange = Exchange(self.grid, self.kept, lambda: self.time)

    def restart(self, file=None):
        """The ServerApp ends and starts again, perhaps with another store."""
        self.exchange = Exchange(self.grid, file or self.kept, lambda: self.time)

    def carry(self, looks=4):
        """Look until every spool has what the others posted."""
        for _ in range(looks):
            self.time += 6.0
            self.exchange.look()

    def settle(self):
        """Carry until nothing moves."""
        for _ in range(50):
            self.time += 6.0
            if not self.exchange.look() and not any(s.waiting for s in self.spools):
                return
        raise AssertionError("it never ends")


class AcrossBoard:
    """A board that writes at one party's spool and reads at another's, carried in between."""

    def __init__(self, link, marker=None, *, turned=False):
        urls = [f"flower://{spool.folder}" for spool in link.spools[:2]]
        if turned:
            urls.reverse()
        self.link = link
        self.here, self.there = (open_board(url, marker) for url in urls)
        self.url = self.here.url

    def _carried(self, call, *given):
        try:
            return call(*given)
        finally:
            self.link.settle()

    def post(self, path, data):
        self._carried(self.here.post, path, data)

    def post_file(self, path, source):
        self._carried(self.here.post_file, path, source)

    def post_first(self, path, data):
        return self._carried(self.here.post_first, path, data)

    def post_file_first(self, path, source):
        return self._carried(self.here.post_file_first, path, source)

    def erase(self, path):
        self._carried(self.here.erase, path)

    def __getattr__(self, name):  # read, read_head, open, stamp, names, shut
        return getattr(self.there, name)
