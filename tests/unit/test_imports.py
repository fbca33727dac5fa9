"""No command pays for a framework that it does not use: rooms are imported in fresh processes."""

import json
import pkgutil
import subprocess
import sys

import pytest

import securefl.demo
import securefl.learning
import securefl.privacy
import securefl.secagg
import securefl.study

HEAVY = ("_sealapi_cpp", "opacus", "pandas", "sklearn", "syft", "tenseal", "torch")
#: The modules that are there to bring a framework in.
BRINGS = {
    "securefl.learning.dpsgd",
    "securefl.learning.opacus_hooks",
    "securefl.learning.exact",
    "securefl.learning.selftest",
    "securefl.learning.selftest_controls",
    "securefl.secagg.seal",
    "securefl.secagg.seal_ring",
}


def heavy_after(*modules):
    program = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def modules_of(room):
    names = [m.name for m in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")]
    return [name for name in names if name not in BRINGS]


@pytest.mark.parametrize(
    "room", [securefl.study, securefl.privacy, securefl.secagg, securefl.learning, securefl.demo]
)
def test_a_room_brings_no_framework_but_where_it_is_meant_to(room):
    modules = modules_of(room)
    assert len(modules) > 4
    assert heavy_after(*modules) == []


def test_the_cipher_brings_tenseal_and_nothing_else():
    assert heavy_after("securefl.secagg.seal") == ["_sealapi_cpp", "tenseal"]


def test_the_worker_has_one_thread_until_it_stands_behind_its_walls():
    """unshare(2) gives a process with threads no user namespace; numpy's BLAS starts some."""
    program = (
        "import securefl.node.worker, securefl.node.isolation, os, sys\n"
        "print(len(os.listdir('/proc/self/task')), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == [b"1", b"False"]


def test_an_agent_without_a_study_holds_nothing_of_rounds_and_reviews():
    """It waits for months: parts of a round are imported where a study was approved."""
    program = (
        "import securefl.node.agent, sys\n"
        "parts = ('study_run', 'launcher', 'models', 'decisions', 'rule_approval')\n"
        "print([part for part in parts if f'securefl.node.{part}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == [b"[]"]
