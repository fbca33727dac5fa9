"""Runner beside a SuperNode: answers each message from the spool, and runs no code that came.

A SuperNode started with ``--isolation process`` runs no ClientApp itself; whoever has its secret
takes the messages from it, on this machine. Flower's own runner would then install and run the app
that the SuperLink sent. This one leaves the app aside: a message is a parcel, or it is answered
with an error.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from securefl.backoff import Backoff
from securefl.boards.flower.flower_version import flower_version
from securefl.boards.flower.parcel import Delivery, pack, unpack
from securefl.errors import MessageError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.flower.spool import Spool

#: Where a SuperNode listens for its runner unless it is told otherwise.
ADDRESS: Final = "127.0.0.1:9094"
#: Flower tells its makers who starts what, unless it is told not to.
SILENCE: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def answer(spool: Spool, parcel: bytes) -> tuple[bytes, int, int]:
    """Take a delivery and return the report: ``(parcel, objects taken, objects sent)``.

    Raises:
        MessageError: it is no delivery.
        StoreError: it is another store's.
    """
    taken = spool.take(*unpack(parcel, Delivery))
    report, changes = spool.report()
    return pack(report, changes), taken, len(changes)


class Runner:
    """Takes messages from this machine's SuperNode, one after another.

    Args:
        spool: the party's.
        address: the SuperNode's ``--host`` and ``--port``; without TLS, so of this machine.

    Attributes:
        away: the SuperNode did not answer when it was last asked.
    """

    def __init__(self, spool: Spool, address: str = ADDRESS) -> None:
        os.environ.update(SILENCE)
        flower_version()
        from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor

        self._spool = spool
        self._address = address
        self.away = False
        guarded = frozenset({"/flwr.proto.Runtime/AcquireTask"})
        self._node = self._client(
            SuperExecAuthHttpInterceptor(master_secret=spool.secret, protected_methods=guarded)
        )

    def run(self, told: Callable[[int, int], None], away: Callable[[], None]) -> None:
        """Answer until the process is stopped.

        Args:
            told: hears how many objects were taken and sent.
            away: hears, once, that the SuperNode does not answer.

        Raises:
            StoreError: the SuperLink's app keeps another store.
        """
        pause = Backoff(0.05, 0.5)
        missing = False
        while True:
            if self.away and not missing:
                away()
            missing = self.away
            if self.look(told):
                pause.reset()
            pause.failed()
            time.sleep(pause.remaining)

    def look(self, told: Callable[[int, int], None]) -> bool:
        """Answer one message; false where there is none, or no SuperNode.

        Raises:
            StoreError: see :meth:`run`.
        """
        import httpx
        from flwr.proto.runtime_pb2 import AcquireTaskRequest
        from flwr.supercore.constant import TaskType

        asked = AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP])
        try:
            given = self._node.AcquireTask(asked)
            self.away = False
            if not given.token:
                return False
            self._answer(given.token, told)
        except httpx.TransportError:
            self.away = True  # it is not there, yet or any more
            return False
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in {401, 403}:
                return False  # the task is gone, with the run
            raise StoreError(
                f"The SuperNode at {self._address} does not know this spool's secret.",
                next_step=(
                    "Start it with --isolation process --superexec-auth-secret-file"
                    f" {self._spool.folder / 'supernode.secret'}"
                ),
            ) from None
        return True

    def _answer(self, token: str, told: Callable[[int, int], None]) -> None:
        from flwr.app import ConfigRecord, Error, Message, RecordDict
        from flwr.common.constant import ErrorCode, SubStatus
        from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
        from flwr.supernode.runtime.run_clientapp import (
            pull_task_input,
            push_message,
            push_task_output,
        )

        from securefl.boards.flower.server import FIELD, RECORD, parcel_of

        client = self._client(RuntimeTokenHttpInterceptor(token))
        taken = 0
        sent = 0
        failure: MessageError | StoreError | None = None
        try:
            message, context, _, _ = pull_task_input(client)  # the app that came is left aside
            try:
                parcel, taken, sent = answer(self._spool, parcel_of(message))
                content = RecordDict({RECORD: ConfigRecord({FIELD: parcel})})
                reply = Message(content, reply_to=message)
            except (MessageError, StoreError) as error:
                failure = error
                said = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, error.code)
                reply = Message(said, reply_to=message)
            push_message(client, reply, context)
            push_task_output(client, context, SubStatus.COMPLETED, "")
        finally:
            client.close()
        if isinstance(failure, StoreError):
            raise failure
        told(taken, sent)

    def _client(self, entitled: Any) -> Any:  # noqa: ANN401 - flwr's interceptors share no public type
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient

        return RuntimeHttpClient.from_server_address(
            server_address=self._address,
            insecure=True,
            root_certificates=None,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="SuperExec"), entitled],
        )
