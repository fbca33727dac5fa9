"""A real SuperLink with TLS and SuperNode authentication, and seven SuperNodes: five hospitals, the
aggregator, the researcher. Rounds between real processes run over them, the sum exact; an app that
a hostile operator starts runs at nobody.
"""

import shutil
import time

import pytest

pytest.importorskip("flwr", reason="Flower is not installed: pip install 'securefl[flower]'")

from flower_processes import PATIENCE, flower_network
from store_servers import free_port

from securefl.backoff import poll
from securefl.bench.rounds import bench_round
from securefl.boards.opening import open_board

pytestmark = pytest.mark.soak

HOSPITALS = ("site000", "site001", "site002", "site003", "site004")
PARTIES = (*HOSPITALS, "aggregator", "coordinator")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with flower_network(tmp_path_factory.mktemp("flower") / "n", PARTIES) as running:
        yield running


def arrives(board, path, data):
    return poll(lambda: board.read(path, 100) == data or None, seconds=PATIENCE)


def test_what_one_party_posts_arrives_at_all_others(network):
    boards = {name: open_board(network.url(name)) for name in PARTIES}
    boards["coordinator"].post("hello", b"1")
    assert all(arrives(board, "hello", b"1") for board in boards.values())


def test_a_round_of_five_hospitals_over_flower_is_exact(network):
    found = bench_round(2000, 5, 16, 2, store=f"flower://{network.folder}/spools/{{party}}")
    assert found["exact"]


def test_a_supernode_whose_key_is_not_registered_is_not_let_in(network):
    network.make_key("stranger")
    begun = network.begin(
        "stranger", "flower-supernode", "--superlink", f"127.0.0.1:{network.port}",
        "--root-certificates", network.folder / "ca.pem",
        "--auth-supernode-private-key", network.folder / "stranger.key", "--port", free_port(),
        "--isolation", "process", "--max-retries", 1,
    )  # fmt: skip
    assert begun.wait(PATIENCE) != 0


EVIL = """
from pathlib import Path
from flwr.clientapp import ClientApp
Path({target!r}).touch()
app = ClientApp()

@app.query()
def query(message, context):
    raise RuntimeError("it ran")
"""


def test_an_app_of_a_hostile_operator_runs_at_nobody_but_a_stock_supernode(network):
    """Control: a SuperNode that runs apps of its own, as Flower starts one by itself."""
    shutil.copytree(network.folder / "app", network.folder / "evil")
    target = network.folder / "stolen"
    code = network.folder / "evil" / "securefl_store" / "client_app.py"
    code.write_text(EVIL.format(target=str(target)))
    project = network.folder / "evil" / "pyproject.toml"
    other = str(network.folder / "evil.db")
    project.write_text(project.read_text().replace(f"{network.folder}/store.db", other))
    network.run_app(network.folder / "evil")
    refused = lambda: "SuperLink's app keeps" in network.log("runner-site000") or None  # noqa: E731
    assert poll(refused, seconds=PATIENCE)
    time.sleep(2)
    assert not target.exists()
    network.register("stock")
    network.begin(
        "stock", "flower-supernode", "--superlink", f"127.0.0.1:{network.port}",
        "--root-certificates", network.folder / "ca.pem",
        "--auth-supernode-private-key", network.folder / "stock.key", "--port", free_port(),
    )  # fmt: skip
    assert poll(lambda: target.exists() or None, seconds=PATIENCE)
