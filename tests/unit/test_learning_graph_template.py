"""Templates whose model lies beside them as a model.py."""

from pathlib import Path

import pytest

from securefl.errors import StudyError, UnreadableError
from securefl.learning.graphs import graph_export
from securefl.learning.graphs.graph_template import read_template
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

FOLDER = Path(__file__).parents[2] / "protocols/studies/digits-images"


@pytest.fixture
def folder(tmp_path):
    for name in ("protocol.toml", "model.py"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    return tmp_path


def bare(folder):
    """The template without what was exported."""
    file = folder / "protocol.toml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(x for x in lines if not x.startswith(("graph = ", "source = "))))
    return file


def test_the_shipped_template_holds_the_graph_of_the_model_beside_it(folder):
    found = read_template(bare(folder))
    assert found == (FOLDER / "protocol.toml").read_bytes()


def test_what_was_exported_is_not_exported_again(folder, monkeypatch):
    monkeypatch.setattr(graph_export, "export_model", None)
    text = (folder / "protocol.toml").read_bytes()
    assert read_template(folder / "protocol.toml") == text
    (folder / "model.py").unlink()
    assert read_template(folder / "protocol.toml") == text


def test_control_another_text_beside_it_is_exported_anew(folder):
    model = folder / "model.py"
    model.write_text(model.read_text().replace("GroupNorm(2, 8)", "GroupNorm(4, 8)"))
    text = read_template(folder / "protocol.toml")
    spec = training_of(parse_protocol(text)).model
    assert '"groups":4' in spec.graph
    assert "GroupNorm(4, 8)" in spec.source
    assert text.count(b"\n") == (folder / "protocol.toml").read_bytes().count(b"\n")


@pytest.mark.parametrize("name", ["../model.py", "/etc/passwd", "model.sh", ""])
def test_a_file_elsewhere_is_not_read(folder, name):
    file = bare(folder)
    file.write_text(file.read_text().replace('file = "model.py"', f'file = "{name}"'))
    with pytest.raises(StudyError, match="no file beside the template"):
        read_template(file)


def test_a_model_that_is_not_there_is_named(folder):
    file = bare(folder)
    (folder / "model.py").unlink()
    with pytest.raises(UnreadableError, match=r"model\.py"):
        read_template(file)


def test_other_templates_are_left_as_they_are():
    file = FOLDER.parent / "thyroid" / "protocol.toml"
    assert read_template(file) == file.read_bytes()
