"""A warm round over each kind of store, beside one over a folder, in one run on this machine.

    python benchmarks/operation/stores.py                # 999,997 parameters, five hospitals
    python benchmarks/operation/stores.py --parameters 10000 --json -
    python benchmarks/operation/stores.py --only "S3 (moto)" --only Flower --secaggplus PYTHON

Servers run on loopback, as the tests start them: moto's S3 and wsgidav's WebDAV are written in
Python and share the two cores with the parties, so that their figures say little of a server of its
own; OpenSSH's SFTP is what a hospital would run. Flower's is a SuperLink with TLS and seven SuperNodes.
``--secaggplus`` names the Python of an environment with ``flwr[simulation]`` (benchmarks/README.md):
then plain Flower with SecAgg+ runs beside them, within one process's engine.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import numpy as np
from machine import machine
from store_servers import SSHD, make_bucket, s3, sftp, webdav

from securefl.bench.rounds import bench_round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def _s3(home: Path) -> Iterator[str]:  # noqa: ARG001 - as the others
    with s3() as address:
        os.environ.update(
            AWS_ACCESS_KEY_ID="one",
            AWS_SECRET_ACCESS_KEY="two",  # noqa: S106 - moto takes any
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ENDPOINT_URL=address,
        )
        make_bucket(address, "consortium")
        yield "s3://consortium"


@contextmanager
def _sftp(home: Path) -> Iterator[str]:
    with sftp(home) as port:
        yield f"sftp://{getpass.getuser()}@127.0.0.1:{port}{home}/store"


@contextmanager
def _webdav(home: Path) -> Iterator[str]:
    word = secrets.token_hex(8)
    (home / "share").mkdir()
    (home / ".netrc").touch(0o600)
    (home / ".netrc").write_text(f"machine 127.0.0.1 login hospital password {word}\n")
    with webdav(home / "share", "hospital", word) as port:
        yield f"dav://127.0.0.1:{port}/store"


@contextmanager
def _flower(home: Path) -> Iterator[str]:
    from flower_processes import flower_network

    parties = [*(f"site{i:03d}" for i in range(5)), "aggregator", "coordinator"]
    with flower_network(home / "flower", parties) as network:
        yield network.url("{party}")


@dataclass
class Inside:
    """Time inside moto, of what the parties ask it about rounds.

    Attributes:
        requests: how many.
        seconds: of its threads on a processor, in all.
    """

    requests: int = 0
    seconds: float = 0.0


@contextmanager
def inside_moto() -> Iterator[Inside]:
    """Count what moto does while this lasts; it runs in this process."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    found = Inside()
    turn = threading.Lock()
    serve = DomainDispatcherApplication.__call__

    def counted(
        self: DomainDispatcherApplication,
        environ: dict[str, Any],
        start: Callable[..., object],
    ) -> object:
        began = time.thread_time()
        answer = serve(self, environ, start)
        asked = environ["PATH_INFO"] + environ.get("QUERY_STRING", "")
        if "rounds" in asked or "status" in asked:
            with turn:
                found.requests += 1
                found.seconds += time.thread_time() - began
        return answer

    DomainDispatcherApplication.__call__ = counted
    try:
        yield found
    finally:
        DomainDispatcherApplication.__call__ = serve


#: Rounds of bare puts and gets that are measured.
_BARE = 5

STORES = {
    "S3 (moto)": _s3,
    "SFTP (OpenSSH)": _sftp,
    "WebDAV (wsgidav)": _webdav,
    "Flower": _flower,
}


def bare_s3(parameters: int, upload: int, sites: int = 5) -> dict[str, float]:
    """Seconds of a round's large objects by boto alone, one after the other: client and server.

    The model goes up once and to each hospital; each contribution goes up, to the aggregator and to
    the coordinator. No look whether something is there, and nothing of the small objects.
    """
    import botocore.session

    client = botocore.session.get_session().create_client("s3")
    model, contribution = os.urandom(8 * parameters), os.urandom(upload)

    def get(name: str) -> None:
        client.get_object(Bucket="consortium", Key=f"bare/{name}")["Body"].read()

    def one_round() -> None:
        client.put_object(Bucket="consortium", Key="bare/model", Body=model)
        for site in range(sites):
            get("model")
            client.put_object(Bucket="consortium", Key=f"bare/{site}", Body=contribution)
            get(str(site))
            get(str(site))

    one_round()
    began, used = time.perf_counter(), time.process_time()
    for _ in range(_BARE):
        one_round()
    return {
        "seconds": (time.perf_counter() - began) / _BARE,
        "processor_seconds": (time.process_time() - used) / _BARE,
    }


def secaggplus(python: str, parameters: int, rounds: int) -> dict[str, Any]:
    """Figures of plain Flower with SecAgg+, of five clients."""
    script = Path(__file__).resolve().parents[1] / "secagg" / "peer_flower.py"
    with tempfile.TemporaryDirectory() as folder:
        for i in range(5):
            values = np.random.default_rng(i).normal(0, 0.1, parameters)
            np.save(Path(folder) / f"{i}.npy", values.astype(np.float32))
        command = [python, str(script), folder, str(rounds), "secaggplus"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(parameters: int, rounds: int, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Figures of ``securefl bench round`` by store."""
    found = {"folder": bench_round(parameters, 5, 16, rounds)}
    for name, opened in STORES.items():
        if only and name not in only:
            continue
        if opened is _sftp and SSHD is None:
            print("OpenSSH's server is not installed: SFTP is skipped")
            continue
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            os.environ["HOME"] = str(home)
            url = stack.enter_context(opened(home))
            inside = stack.enter_context(inside_moto()) if opened is _s3 else Inside()
            figures = found[name] = bench_round(parameters, 5, 16, rounds, store=url)
            if opened is _s3:
                both = 2 * rounds  # without and with verifying
                figures["requests"] = inside.requests / both
                figures["server_processor_seconds"] = inside.seconds / both
                size = figures["parameters"]
                upload = round(figures["upload_bytes_per_parameter"] * size)
                figures["bare"] = bare_s3(size, upload)
    return found


def main() -> None:
    """Print a table, and the figures for programs where they are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parameters", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--json", help="also write the figures; '-' prints them instead")
    parser.add_argument("--only", action="append", default=[], choices=STORES, help="these alone")
    parser.add_argument("--secaggplus", metavar="PYTHON", help="also plain Flower with SecAgg+")
    wanted = parser.parse_args()
    found = measure(wanted.parameters, wanted.rounds, tuple(wanted.only))
    if wanted.secaggplus:
        peer = secaggplus(wanted.secaggplus, found["folder"]["parameters"], wanted.rounds)
        found["plain Flower, SecAgg+"] = peer
    text = json.dumps({"machine": machine(), "stores": found}, indent=2)
    if wanted.json == "-":
        print(text)
        return
    if wanted.json:
        Path(wanted.json).write_text(text + "\n")
    print("| store | warm round, s | to the folder | processor, s | exact |\n|---|---|---|---|---|")
    folder = statistics.median(found["folder"]["round_seconds"])
    for name, figures in found.items():
        seconds = figures["warm_round_seconds"]
        used, exact = "", f"off by {figures.get('max_abs_error_of_mean', 0):.0e}"  # of a peer
        if "exact" in figures:
            used, exact = f"{figures['processor_seconds']:.2f}", "yes" if figures["exact"] else "no"
        print(f"| {name} | {seconds:.2f} | {seconds / folder:.1f} | {used} | {exact} |")
        if "requests" in figures:
            print(
                f"| of it inside moto, {figures['requests']:.0f} requests a round | | |"
                f" {figures['server_processor_seconds']:.2f} | |"
            )
        if "bare" in figures:
            bare = figures["bare"]
            print(
                f"| its large objects by boto alone | {bare['seconds']:.2f} |"
                f" {bare['seconds'] / folder:.1f} | {bare['processor_seconds']:.2f} | |"
            )


if __name__ == "__main__":
    main()
