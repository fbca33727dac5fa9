"""The notebooks of the package run from the first cell to the last, and are copied whole."""

from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

import securefl
from securefl.cli.examples import NOTEBOOKS
from securefl.cli.main import cli
from securefl.errors import UsageError

FOLDER = Path(securefl.__file__).parent / "notebooks"
#: Words that the outputs of each must hold.
SHOWN = {
    "first_study.ipynb": ("AUC 0.", "<svg", "<iframe sandbox"),
    "statistics.ipynb": ("lower quartile", "geometric mean", "negative", "<iframe sandbox"),
    "comparing_models.ipynb": ("The curve differs by", "first run"),
}


def test_the_command_lists_and_copies_every_notebook(tmp_path):
    listed = CliRunner().invoke(cli, ["examples"])
    assert sorted(NOTEBOOKS) == sorted(path.name for path in FOLDER.glob("*.ipynb"))
    assert all(name in listed.output for name in NOTEBOOKS)
    target = tmp_path / "new" / "folder"
    copied = CliRunner().invoke(cli, ["examples", "--copy", str(target)])
    assert copied.exit_code == 0, copied.output
    for name in NOTEBOOKS:
        assert (target / name).read_bytes() == (FOLDER / name).read_bytes()
    again = CliRunner().invoke(cli, ["examples", "--copy", str(target)])
    assert isinstance(again.exception, UsageError)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_are_kept_without_outputs(name):
    for cell in nbformat.read(FOLDER / name, 4).cells:
        assert not cell.get("outputs")


#: The others simulate trainings, which takes many seconds.
SHORT = "statistics.ipynb"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == SHORT else pytest.mark.soak) for name in NOTEBOOKS],
)
def test_a_notebook_runs_to_its_end(name, tmp_path):
    book = nbformat.read(FOLDER / name, 4)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = str([cell.get("outputs") for cell in book.cells])
    for words in SHOWN[name]:
        assert words in shown
