import subprocess
import sys

import pytest

import securefl.demo
import securefl.learning

HEAVY = ("torch", "opacus", "pandas", "syft", "sklearn", "dp_accounting", "tenseal", "scipy")


@pytest.mark.parametrize("room", [securefl.learning, securefl.demo])
def test_every_name_at_the_door_is_there_except_behind_torch(room):
    for name in room.__all__:
        if name != "PrivateTrainer":
            assert getattr(room, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing


def test_only_the_private_trainer_costs_a_framework():
    program = f"""
import sys, securefl.learning, securefl.demo
for room in (securefl.learning, securefl.demo):
    [getattr(room, name) for name in room.__all__ if name != "PrivateTrainer"]
from securefl.demo.thyroid import site_tables
from securefl.learning import load_model, prepare, read_table
site_tables()
import safetensors.numpy
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
