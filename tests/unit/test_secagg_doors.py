import subprocess
import sys

import pytest

import securefl.secagg

WITHOUT_TENSEAL = """
import sys
import securefl.secagg as room
for name in {names}:
    getattr(room, name)
heavy = [name for name in ("tenseal", "_sealapi_cpp", "torch", "syft", "pandas", "scipy") if name in sys.modules]
print(",".join(heavy))
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_everything_but_the_cipher_opens_without_tenseal():
    names = [name for name, module in securefl.secagg._DOORS.items() if module != "seal"]
    assert len(names) > 15
    assert run(WITHOUT_TENSEAL.format(names=names)) == ""


def test_only_the_cipher_brings_tenseal():
    assert "tenseal" in run(WITHOUT_TENSEAL.format(names=["encrypt"]))


@pytest.mark.parametrize("name", securefl.secagg._DOORS)
def test_every_door_opens(name):
    assert getattr(securefl.secagg, name).__name__ == name


def test_there_is_no_other_door():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = securefl.secagg.nonsense
