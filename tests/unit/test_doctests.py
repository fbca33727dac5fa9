"""Every example in a docstring gives what it says."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import securefl

PACKAGE = Path(securefl.__file__).parent
#: A session that needs a researcher's folder and five hospitals; ``examples/`` has it, and is run.
SESSIONS = {"securefl.api"}
EXAMPLES = sorted(
    {
        ".".join(("securefl", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in PACKAGE.rglob("*.py")
        if ">>>" in path.read_text("utf-8")
    }
    - SESSIONS
)


def test_examples_were_found():
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("module", EXAMPLES)
def test_every_example_gives_what_it_says(module):
    result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
