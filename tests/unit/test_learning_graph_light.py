"""A model of the researcher's own on a machine without PyTorch."""

import subprocess
import sys

from graph_models import graph_text

PROGRAM = """
import sys
sys.modules["torch"] = sys.modules["opacus"] = None
from types import SimpleNamespace
import numpy as np
from securefl.learning.families.graph import OwnGraph
family = OwnGraph(SimpleNamespace(graph=sys.argv[1]), 6, 1)
family.open_libraries()
task = SimpleNamespace(steepest=1.0, loss_gradient=lambda scores, y: scores - y[:, None])
found = family.gradients(task)(np.full(family.parameters, 0.3), np.eye(6), np.ones(6))
assert np.isfinite(found).all() and found.any(axis=1).all()
print(sys.modules["torch"])
"""


def test_it_trains_there():
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, graph_text(6, 1)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr, found.returncode) == ("None\n", "", 0)
