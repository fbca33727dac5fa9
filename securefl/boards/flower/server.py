"""ServerApp: keeps what parties post and hands it on. It knows no study and holds no key.

Each SuperNode always has a message to pull: a stock SuperNode that finds none sleeps for three
seconds. While something moves there are two, so that the next is there when a reply has gone.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from securefl.backoff import Backoff
from securefl.boards.flower.parcel import Report, pack, unpack
from securefl.boards.flower.parcel_store import ParcelStore
from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The record of a message that is the parcel, and its field.
RECORD: Final = "securefl"
FIELD: Final = "parcel"
#: Seconds after which a SuperNode that moved nothing is asked less often.
_QUIET: Final = 20.0
#: Seconds between two looks which SuperNodes there are.
_NODES: Final = 2.0
#: Seconds before a SuperNode that answered with an error is asked again.
_AGAIN: Final = 5.0

_LOG: Final = logging.getLogger("securefl.flower")


@dataclass
class _Node:
    """One SuperNode: whose spool it is, up to where it has everything, what it was asked.

    ``asked`` maps messages on their way to the ``since`` of their deliveries.
    """

    number: int
    spool: str = ""
    reported: int = 0
    sent: int = 0
    moved: float = 0.0
    not_before: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)


class Exchange:
    """The ServerApp's work, one look at a time.

    Args:
        grid: Flower's.
        kept: the objects.
        clock: seconds, for how often to ask.
    """

    def __init__(
        self,
        grid: Any,  # noqa: ANN401 - anything that carries messages as Flower's Grid does
        kept: ParcelStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._grid = grid
        self._kept = kept
        self._clock = clock
        self._nodes: dict[int, _Node] = {}
        self._looked = -_NODES

    def look(self) -> bool:
        """Ask whom to ask, take what came; true if anything was posted or handed on."""
        now = self._clock()
        if now - self._looked >= _NODES:
            self._looked = now
            self._see_nodes()
        messages = [m for node in self._nodes.values() for m in self._questions(node, now)]
        if messages:
            self._push(messages)
        return self._take(now)

    def _see_nodes(self) -> None:
        there = set(self._grid.get_node_ids())
        for number in there - set(self._nodes):
            self._nodes[number] = _Node(number)
        for number in set(self._nodes) - there:
            del self._nodes[number]

    def _questions(self, node: _Node, now: float) -> list[tuple[_Node, int, Message]]:
        if now < node.not_before:
            return []
        moving = now - node.moved < _QUIET or node.sent < self._kept.last
        wanted = 1 + int(bool(node.spool) and moving)
        return [self._question(node, now) for _ in range(wanted - len(node.asked))]

    def _question(self, node: _Node, now: float) -> tuple[_Node, int, Message]:
        since = node.sent
        if not node.spool:  # where it stands is not known yet: nothing is handed on
            since = self._kept.last
        delivery, changes = self._kept.delivery(node.spool, since)
        if node.spool:
            node.sent = delivery.upto
        if changes:
            node.moved = now
        content = RecordDict({RECORD: ConfigRecord({FIELD: pack(delivery, changes)})})
        return node, since, Message(content, dst_node_id=node.number, message_type="query")

    def _push(self, messages: list[tuple[_Node, int, Message]]) -> None:
        numbers = self._grid.push_messages([message for _, _, message in messages])
        for (node, since, _), number in zip(messages, numbers, strict=True):
            if number:
                node.asked[number] = since
            else:
                node.sent = node.reported

    def _take(self, now: float) -> bool:
        asking = {number: node for node in self._nodes.values() for number in node.asked}
        if not asking:
            return False
        moved = False
        for reply in self._grid.pull_messages(list(asking)):
            number = reply.metadata.reply_to_message_id
            node = asking.get(number)
            if node is not None:
                moved |= self._hear(node, node.asked.pop(number), reply, now)
        return moved

    def _hear(
        self,
        node: _Node,
        since: int,
        reply: Message,
        now: float,
    ) -> bool:
        try:
            report, changes = unpack(parcel_of(reply), Report)
        except MessageError as error:
            _LOG.warning("SuperNode %s was not heard: %s", node.number, error)
            node.sent = node.reported
            node.not_before = now + _AGAIN
            return False
        new = self._kept.accept(report, changes)
        if report.store != self._kept.id or report.spool != node.spool:
            node.spool = report.spool  # one that is new here has nothing of ours
            node.sent = report.cursor if report.store == self._kept.id else 0
        elif report.cursor < since:  # a delivery before was lost
            node.sent = report.cursor
        moved = new > 0 or report.cursor != node.reported
        node.reported = report.cursor
        if moved:
            node.moved = now
        return moved


def parcel_of(message: Message) -> bytes:
    """The parcel in a message of Flower's.

    Raises:
        MessageError: there is none.
    """
    if message.has_error():
        raise MessageError(f"It answered with an error: {message.error.reason}")
    record = message.content.get(RECORD)
    if isinstance(record, ConfigRecord) and set(message.content) == {RECORD}:
        parcel = record.get(FIELD)
        if isinstance(parcel, bytes):
            return parcel
    raise MessageError("The message has no parcel.")


app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Carry until the run is stopped."""
    file = Path(str(context.run_config["store"])).expanduser()
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(ParcelStore(file)) as kept:
        _LOG.warning("The store %s is %s.", kept.id, file)
        exchange = Exchange(grid, kept)
        pause = Backoff(0.05, 0.5)
        while True:
            if exchange.look():
                pause.reset()
            pause.failed()
            time.sleep(pause.remaining)
