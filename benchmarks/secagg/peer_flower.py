"""Flower over its simulation engine, with SecAgg+ or in the clear: warm rounds on the given vectors.
Runs in an environment of its own.

``python peer_flower.py VECTORS ROUNDS secaggplus|fedavg``: VECTORS is a folder with one float32
array a client, ``0.npy`` and so on. Prints one JSON object as its last line. A client's training
step is reading its array, so that what is timed is the round: FedAvg alone, or within the four
stages of SecAgg+ with its defaults (clipping range 8, 22 bits). All clients are neighbours, and each has 1000 examples, where
its average is best: more would exceed the default ``max_weight`` and corrupt it.

The engine hands messages over in memory, so the bytes are those of the protobuf messages that a
network would carry.
"""

# ruff: noqa: ANN001, ANN201, ANN202, ANN204 - this runs in an environment of its own, where nothing checks types

import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_DEDUP_LOGS"] = "0"

import flwr
import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.serde import message_to_proto
from flwr.server import LegacyContext, ServerApp, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.server.workflow.default_workflows import default_fit_workflow
from flwr.simulation import run_simulation

FOLDER, ROUNDS, SECURE = Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3] == "secaggplus"
CLIENTS = len(list(FOLDER.glob("*.npy")))
EXAMPLES = 1000
#: Ray's processes inherit the environment, and so learn where the arrays are.
os.environ["SECUREFL_BENCH_VECTORS"] = str(FOLDER)


class Client(NumPyClient):
    """Sends its array, whatever the global model."""

    def __init__(self, index):
        self.index = index

    def fit(self, parameters, config):
        """The update; `parameters` and `config` play no part."""
        del parameters, config
        return (
            [np.load(Path(os.environ["SECUREFL_BENCH_VECTORS"]) / f"{self.index}.npy")],
            EXAMPLES,
            {},
        )


def client_fn(context):
    """One client for each partition of the engine."""
    return Client(int(context.node_config["partition-id"])).to_client()


class CountedGrid:
    """The engine's grid; replies are counted as they come: bytes of each client's messages in this
    round.
    """

    def __init__(self, grid):
        self.grid, self.uploads, self.counting = grid, {}, 0.0

    def __getattr__(self, name):
        return getattr(self.grid, name)

    def send_and_receive(self, messages, *, timeout=None):
        """As the grid's; the counting itself is not timed (see `Timed`)."""
        replies = list(self.grid.send_and_receive(messages, timeout=timeout))
        start = time.perf_counter()
        for message in replies:
            size = message_to_proto(message).ByteSize()
            self.uploads[message.metadata.src_node_id] = (
                self.uploads.get(message.metadata.src_node_id, 0) + size
            )
        self.counting += time.perf_counter() - start
        return replies


def timed(workflow):
    """The workflow with a stop watch around each round."""

    def one_round(grid, context):
        counted = CountedGrid(grid)
        start = time.perf_counter()
        workflow(counted, context)
        seconds.append(time.perf_counter() - start - counted.counting)
        uploads.append(max(counted.uploads.values()))

    return one_round


class Mean(FedAvg):
    """FedAvg that keeps its last average."""

    def aggregate_fit(self, server_round, results, failures):
        """The average of the round."""
        parameters, metrics = super().aggregate_fit(server_round, results, failures)
        averages.append(parameters_to_ndarrays(parameters)[0])
        return parameters, metrics


seconds, uploads, averages = [], [], []
server = ServerApp()


@server.main()
def main(grid, context):
    """ROUNDS rounds of training, without evaluation."""
    start = np.load(FOLDER / "0.npy")
    strategy = Mean(
        fraction_fit=1.0,
        fraction_evaluate=0.0,
        min_fit_clients=CLIENTS,
        min_available_clients=CLIENTS,
        initial_parameters=ndarrays_to_parameters([np.zeros_like(start)]),
    )
    legacy = LegacyContext(
        context=context, config=ServerConfig(num_rounds=ROUNDS), strategy=strategy
    )
    fit = default_fit_workflow
    if SECURE:
        fit = SecAggPlusWorkflow(num_shares=CLIENTS, reconstruction_threshold=CLIENTS - 1)
    DefaultWorkflow(fit_workflow=timed(fit))(grid, legacy)


if __name__ == "__main__":
    truth = sum(np.load(FOLDER / f"{i}.npy").astype(np.float64) for i in range(CLIENTS)) / CLIENTS
    run_simulation(
        server_app=server,
        client_app=ClientApp(client_fn=client_fn, mods=[secaggplus_mod] if SECURE else []),
        num_supernodes=CLIENTS,
        backend_config={
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
            "init_args": {"num_cpus": os.cpu_count()},
        },
    )
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps(
            {
                "what": "Flower SecAgg+" if SECURE else "Flower FedAvg, in the clear",
                "version": flwr.__version__,
                "parameters": truth.size,
                "clients": CLIENTS,
                "round_seconds": seconds[1:],
                "warm_round_seconds": statistics.median(seconds[1:]),
                "upload_bytes_per_parameter": max(uploads) / truth.size,
                "max_abs_error_of_mean": max(float(np.abs(a - truth).max()) for a in averages),
                "peak_rss_mb": (
                    max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) / 1024
                ),
            }
        )
    )
