"""Steps of virtual hospitals under Flower's simulation runtime, each as a ClientApp.

Flower registers a node for each hospital, keeps the messages and hands them to a backend; the grid
sends the model and takes the answers. The backend is this process itself: Flower's own is Ray, whose
workers are other processes, and a hospital's noise goes on from round to round where its table is.

Not the public interface of flwr (1.42): its ``start_vce`` names Ray's backend. The extra's lock pins
flwr, and a test that compares all figures notices a change.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Local
    from securefl.types import FloatArray, IntArray

#: The record of a message, and of its answer.
_RECORD: Final = "securefl"
#: Seconds between two looks for answers.
_LOOK: Final = 0.01


@dataclass
class _Turn:
    """The round that is on its way.

    Attributes:
        ends: hospitals by their nodes' partitions.
        release: the one that is due.
        failed: the first refusal or error of a hospital.
    """

    ends: Sequence[Local]
    release: Release
    failed: Exception | None = None


@dataclass
class _Runtime:
    """Flower's parts that are made once."""

    grid: Any
    nodes: Mapping[int, int]
    stop: threading.Event = field(default_factory=threading.Event)


class FlowerEngine:
    """Runs hospitals' steps as ClientApps; use it as a context.

    Args:
        sites: hospitals, each a node of Flower's.

    Raises:
        UsageError: Flower is not installed.
    """

    def __init__(self, sites: int) -> None:
        if find_spec("flwr") is None:
            raise UsageError(
                "Flower is not installed.", next_step="Run: pip install 'securefl[flower]'"
            )
        self._sites = sites
        self._turn: _Turn | None = None
        self._died: Exception | None = None

    def __enter__(self) -> Self:
        """Start the runtime."""
        self._runtime, run = _started(self._sites, self._app)
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._runtime.stop.set()
        self._thread.join()

    def answers(
        self,
        ends: Sequence[Local],
        places: Sequence[int],
        release: Release,
        public: FloatArray,
    ) -> list[IntArray]:
        """See :class:`securefl.simulation.trial.Engine`.

        Raises:
            SecureFLError: as a hospital's step, or Flower's runtime stopped.
        """
        from flwr.app import ArrayRecord, Message, MessageType, RecordDict

        self._turn = _Turn(ends, release)
        content = RecordDict({_RECORD: ArrayRecord([public])})
        messages = [
            Message(content, dst_node_id=self._runtime.nodes[place], message_type=MessageType.TRAIN)
            for place in places
        ]
        found = self._replies(messages)
        if self._turn.failed is not None:
            raise self._turn.failed
        return [found[self._runtime.nodes[place]] for place in places]

    def _replies(self, messages: Sequence[Any]) -> dict[int, IntArray]:
        """Send the messages; the answers by node."""
        grid = self._runtime.grid
        waiting = set(grid.push_messages(messages))
        found: dict[int, IntArray] = {}
        while waiting:
            for reply in grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                if reply.has_content():
                    found[reply.metadata.src_node_id] = _numbers(reply)
            if not self._thread.is_alive():
                raise UsageError(
                    f"Flower's simulation runtime stopped: {self._died}.",
                    next_step="Simulate with --engine own.",
                )
            time.sleep(_LOOK)
        return found

    def _run(self, run: Any) -> None:  # noqa: ANN401 - a function of Flower's runtime
        try:
            run(self._runtime.stop)
        except Exception as error:  # noqa: BLE001 - told in the thread that waits
            self._died = error

    def _app(self) -> Any:  # noqa: ANN401 - flwr's ClientApp
        """The app of all hospitals: the node's partition says which one a message is for."""
        from flwr.app import ArrayRecord, Error, Message, RecordDict
        from flwr.clientapp import ClientApp

        app = ClientApp()

        @app.train()
        def step(message: Any, context: Any) -> Any:  # noqa: ANN401 - flwr's Message and Context
            turn = self._turn
            if turn is None:
                return Message(Error(0, "no round is on its way"), reply_to=message)
            try:
                end = turn.ends[int(context.node_config["partition-id"])]
                answer = end.answer(turn.release, _numbers(message))
            except Exception as error:  # noqa: BLE001 - raised again where the round waits
                turn.failed = turn.failed or error
                return Message(Error(0, str(error)), reply_to=message)
            return Message(RecordDict({_RECORD: ArrayRecord([answer])}), reply_to=message)

        return app


def _numbers(message: Any) -> Any:  # noqa: ANN401 - an array of whatever was sent
    """The one array of a message."""
    return np.asarray(message.content[_RECORD].to_numpy_ndarrays()[0])


def _started(sites: int, make_app: Any) -> tuple[_Runtime, Any]:  # noqa: ANN401 - as above
    """Flower's state, grid and nodes, and its loop: a function of the event that ends it."""
    from flwr.proto.task_pb2 import Task
    from flwr.server.superlink.fleet.vce import vce_api
    from flwr.server.superlink.fleet.vce.metrics import VceMetrics
    from flwr.server.superlink.linkstate import LinkStateFactory
    from flwr.server.superlink.linkstate.in_memory_linkstate import RunRecord
    from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME
    from flwr.supercore.object_store import ObjectStoreFactory
    from flwr.superlink.federation import NoOpFederationManager
    from flwr.superlink.grid import InMemoryGrid

    states = LinkStateFactory(
        FLWR_IN_MEMORY_DB_NAME,
        NoOpFederationManager(),
        ObjectStoreFactory(),
    )
    run = _flower_run()
    state: Any = states.state()
    state.run_ids[run.run_id] = RunRecord(run=run)
    state.task_store[run.primary_task_id] = Task(
        task_id=run.primary_task_id,
        run_id=run.run_id,
    )
    grid = InMemoryGrid(states)
    grid.set_run(run)
    partitions = vce_api._register_nodes(sites, states)  # noqa: SLF001 - see the head of this file
    stores = vce_api._register_node_info_stores(partitions, run)  # noqa: SLF001
    app = make_app()

    def loop(stop: threading.Event) -> None:
        vce_api.run_api(
            lambda: app,
            _backend,
            partitions,
            states,
            stores,
            stop,
            VceMetrics(),
        )

    nodes = {place: node for node, place in partitions.items()}
    return _Runtime(grid, nodes), loop


def _flower_run() -> Any:  # noqa: ANN401 - flwr's Run
    """A run that stands in no database; one is in this process at a time."""
    from flwr.common.constant import RUN_ID_NUM_BYTES, SUPERLINK_NODE_ID, TASK_ID_NUM_BYTES
    from flwr.server.superlink.linkstate.utils import generate_rand_int_from_bytes
    from flwr.supercore.constant import NOOP_FEDERATION_ID
    from flwr.supercore.run import Run
    from flwr.supercore.task_identity import TaskIdentity

    run = Run.create_empty(run_id=generate_rand_int_from_bytes(RUN_ID_NUM_BYTES))
    run.primary_task_id = generate_rand_int_from_bytes(TASK_ID_NUM_BYTES)
    run.federation_id = NOOP_FEDERATION_ID
    TaskIdentity.task_id = 1
    TaskIdentity.run_id = run.run_id
    TaskIdentity.node_id = SUPERLINK_NODE_ID
    return run


def _backend() -> Any:  # noqa: ANN401 - flwr's Backend
    """A backend of one worker: this process. Tables of noise are shared and not for two threads."""
    from flwr.server.superlink.fleet.vce.backend import Backend

    class ThisProcess(Backend):
        """Runs an app where its hospitals are."""

        def __init__(self) -> None:
            super().__init__({})
            self._app: Any = None

        @property
        def num_workers(self) -> int:
            """Messages at once."""
            return 1

        def build(self, app_fn: Any) -> None:  # noqa: ANN401 - makes the app
            """Keep the app."""
            self._app = app_fn()

        def is_worker_idle(self) -> bool:
            """Flower asks for no more than it hands over."""
            return True

        def process_message(self, message: Any, context: Any) -> tuple[Any, Any]:  # noqa: ANN401
            """Answer a message."""
            return self._app(message, context), context

        def terminate(self) -> None:
            """Nothing was started."""

    return ThisProcess()
