"""A delta of 1e-15 was refused with "no finite epsilon, more noise": no noise would have helped,
and there is a finite epsilon.
"""

import re

import pytest
from click.testing import CliRunner
from conftest import protocol_text

from securefl.cli.main import cli

# with what stands before or after them: the study has three keys of this name
TRAINING, EVALUATION = (
    ('epsilon = "1"\nnoise_multiplier', 'epsilon = "{}"\nnoise_multiplier'),
    ('noise_multiplier = "3.75"\nepsilon = "1"', 'noise_multiplier = "3.75"\nepsilon = "{}"'),
)


def check(folder, *edits):
    file = folder / "protocol.toml"
    file.write_text(protocol_text(*edits))
    return CliRunner().invoke(cli, ["study", "check", str(file)])


@pytest.mark.parametrize("delta", ["1e-14", "1e-15", "1e-18", "1e-30"])
def test_a_small_delta_has_a_figure_and_the_figure_named_is_accepted(tmp_path, delta):
    small = ('delta = "1e-5"', f'delta = "{delta}"')
    what = check(tmp_path, small).exception.what
    assert "finite" not in what
    needed = re.findall(r'write "([0-9.]+)"', what)
    assert len(needed) == 2
    claims = [
        (old, new.format(figure))
        for (old, new), figure in zip((TRAINING, EVALUATION), needed, strict=True)
    ]
    assert check(tmp_path, *claims, small).exit_code == 0


def test_a_delta_beyond_the_limit_is_refused_by_name(tmp_path):
    assert (
        "must be at least 1e-30"
        in check(tmp_path, ('delta = "1e-5"', 'delta = "1e-31"')).exception.what
    )
