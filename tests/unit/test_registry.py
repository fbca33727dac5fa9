import subprocess
import sys

import pytest

from securefl.errors import UsageError
from securefl.registry import Registry


def stages():
    return Registry("stage", {"train": "fractions:Fraction", "count": "decimal:Decimal"})


def test_a_built_in_name_is_imported_when_it_is_asked_for():
    program = (
        "import sys; from securefl.registry import Registry\n"
        "found = Registry('thing', {'a-thing': 'colorsys:rgb_to_hls'})\n"
        "assert 'a-thing' in found and found.names() == ('a-thing',)\n"
        "assert 'colorsys' not in sys.modules\n"
        "assert found['a-thing'].__name__ == 'rgb_to_hls' and 'colorsys' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no stage 'trian'") as refused:
        stages()["trian"]
    assert refused.value.next_step == "Write one of: count, train."


def test_another_implementation_is_registered_and_taken_away_again():
    found = stages()
    away = found.register("boost", int)
    assert found["boost"] is int
    assert found.names() == ("boost", "count", "train")
    assert "boost" in found
    away()
    assert "boost" not in found


@pytest.mark.parametrize("name", ["train", "Train", "", "a b", "x" * 41, "-x", "é"])
def test_a_taken_or_impossible_name_is_refused(name):
    with pytest.raises(ValueError, match=r"already|no name"):
        stages().register(name, int)
