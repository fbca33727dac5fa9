"""NVIDIA FLARE's homomorphic encryption, its own components in order: warm rounds on the given
vectors, in an environment of its own.

``python peer_flare.py VECTORS ROUNDS``: VECTORS is a folder with one float32 array a client,
``0.npy`` and so on. Prints one JSON object as its last line. FLARE refuses homomorphic encryption
in its simulator, and its full deployment adds a server, clients and their connections; here are
only the parts that make the round: the context that its ``HEBuilder`` gives out,
``HEModelEncryptor`` in each client, FOBS (FLARE's serialiser) as the wire,
``HEInTimeAccumulateWeightedAggregator`` in the server, FOBS again, ``HEModelDecryptor`` in each
client. The clients' work is divided among two processes.

The model is one layer, which favours FLARE: it sends the context once with every layer.
"""

# ruff: noqa: ANN001, ANN201 - this runs in an environment of its own, where nothing checks types

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import nvflare
import tenseal as ts
from nvflare.apis.dxo import DXO, DataKind, MetaKey, from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_opt.he.intime_accumulate_model_aggregator import (
    HEInTimeAccumulateWeightedAggregator,
)
from nvflare.app_opt.he.model_decryptor import HEModelDecryptor
from nvflare.app_opt.he.model_encryptor import HEModelEncryptor
from nvflare.fuel.utils import fobs
from nvflare.lighter.impl.he import HEBuilder

CORES = 2


def context_of(name):
    """An FL context of the named party, and of its peer."""
    context, peer = FLContext(), FLContext()
    peer.set_prop(ReservedKey.IDENTITY_NAME, name, private=False, sticky=False)
    context.set_peer_context(peer)
    return context


def client_process(folder, work):
    """Serves lines: ``encrypt INDEX FILE`` and ``decrypt INDEX FILE``; answers each with a line."""
    secret = ts.context_from((work / "client_context.tenseal").read_bytes())
    encryptor, decryptor = HEModelEncryptor(weigh_by_local_iter=True), HEModelDecryptor()
    encryptor.tenseal_context = decryptor.tenseal_context = secret
    encryptor.encrypt_layers = [True]  # as its START_RUN event sets it for "all layers"
    print("ready", flush=True)
    for line in sys.stdin:
        task, index, file = line.split()
        context = context_of(f"site-{index}")
        if task == "encrypt":
            update = DXO(DataKind.WEIGHT_DIFF, data={"model": np.load(folder / f"{index}.npy")})
            update.set_meta_prop(MetaKey.NUM_STEPS_CURRENT_ROUND, 1)
            shareable = encryptor.process(update.to_shareable(), context)
            Path(file).write_bytes(fobs.dumps(shareable))
        else:
            shareable = decryptor.process(fobs.loads(Path(file).read_bytes()), context)
            np.save(
                work / f"opened-{index}.npy", np.asarray(from_shareable(shareable).data["model"])
            )
        print("done", flush=True)


def heard(worker, word):
    """Wait for the worker's word; FLARE's own log lines come between."""
    while (line := worker.stdout.readline()) != word + "\n":
        if not line:
            sys.exit("a client process ended")


def each(workers, lines):
    """Hand the lines out to the workers and wait for the last."""
    shares = [lines[i :: len(workers)] for i in range(len(workers))]
    for worker, share in zip(workers, shares, strict=True):
        worker.stdin.write("".join(line + "\n" for line in share))
        worker.stdin.flush()
    for worker, share in zip(workers, shares, strict=True):
        for _ in share:
            heard(worker, "done")


def aggregate(clients, work, number):
    """The server: read, add, write; it cannot open anything."""
    server = context_of("server")
    aggregator = HEInTimeAccumulateWeightedAggregator(weigh_by_local_iter=False)
    aggregator.handle_event(EventType.START_RUN, server)
    server.set_prop(AppConstants.CURRENT_ROUND, number)
    for index in range(clients):
        shareable = fobs.loads((work / f"update-{index}").read_bytes())
        shareable.set_peer_props({ReservedKey.IDENTITY_NAME: f"site-{index}"})
        shareable.add_cookie(AppConstants.CONTRIBUTION_ROUND, number)
        if not aggregator.accept(shareable, server):
            sys.exit("an update was not accepted")
    (work / "global").write_bytes(fobs.dumps(aggregator.aggregate(server)))


def main():
    """Rounds, the first of which warms up."""
    folder, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    clients = len(list(folder.glob("*.npy")))
    truth = sum(np.load(folder / f"{i}.npy").astype(np.float64) for i in range(clients)) / clients
    work = folder / "flare"
    work.mkdir(exist_ok=True)
    builder = HEBuilder()
    builder.initialize(None, None)
    (work / "client_context.tenseal").write_bytes(builder.get_serialized_context(is_client=True))
    command = [sys.executable, __file__, str(folder), str(rounds), "client"]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(CORES)
    ]
    seconds, errors = [], []
    try:
        for worker in workers:
            heard(worker, "ready")
        for number in range(rounds):
            start = time.perf_counter()
            each(workers, [f"encrypt {i} {work / f'update-{i}'}" for i in range(clients)])
            aggregate(clients, work, number)
            each(workers, [f"decrypt {i} {work / 'global'}" for i in range(clients)])
            seconds.append(time.perf_counter() - start)
            errors += [
                float(np.abs(np.load(work / f"opened-{i}.npy") - truth).max())
                for i in range(clients)
            ]
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait()
    upload = max((work / f"update-{i}").stat().st_size for i in range(clients))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps(
            {
                "what": "NVIDIA FLARE, components of its homomorphic encryption",
                "version": nvflare.__version__,
                "parameters": truth.size,
                "clients": clients,
                "round_seconds": seconds[1:],
                "warm_round_seconds": statistics.median(seconds[1:]),
                "upload_bytes_per_parameter": upload / truth.size,
                "max_abs_error_of_mean": max(errors),
                "peak_rss_mb": (
                    max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) / 1024
                ),
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[3:] == ["client"]:
        client_process(Path(sys.argv[1]), Path(sys.argv[1]) / "flare")
    else:
        main()
