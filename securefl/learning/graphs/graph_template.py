"""Templates that name a ``model.py``: its graph is put in where the template is read from a file.

A graph that stands in the template already is left there as long as it was exported from the text
that lies beside, or nothing lies there; so nothing is exported twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.errors import StudyError
from securefl.files import read_given
from securefl.learning.encoding import column_features
from securefl.learning.tasks import task_of
from securefl.study.lines import line_index
from securefl.study.parse import is_study, load_raw, parse_data
from securefl.study.seal import toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES: Final = 64 * 1024
#: Keys that the export writes.
_MADE: Final = ("graph", "source")


def read_template(path: Path) -> bytes:
    """The text of a template or study, with the graph of each ``model.py`` beside it put in.

    The text of such a file is run. A sealed study is left as it is.

    Raises:
        UnreadableError: a file cannot be read.
        StudyError: the model cannot be exported; with its line and the mend.
    """
    text = read_given(path)
    if b"graph" not in text or b".py" not in text:
        return text
    raw = load_raw(text)
    if is_study(raw):
        return text
    lines = text.decode().splitlines(keepends=True)
    index = line_index(text.decode())
    # From the end, so that the lines before stay where they are.
    for number, model in reversed(list(_models(raw))):
        if model.get("graph") and not (path.parent / str(model["file"])).exists():
            continue
        source = _source(path.parent, model["file"])
        if source == model.get("source") and model.get("graph"):
            continue
        at = ("stages", number, "model")
        written = _lines(text, source)
        gone = {index[(*at, key)] for key in _MADE if (*at, key) in index}
        first = index[(*at, "file")]
        kept = [line for place, line in enumerate(lines[first:], first + 1) if place not in gone]
        lines = [*lines[:first], *written, *kept]
    return "".join(lines).encode()


def _models(raw: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Models of the template that name a file, with the number of their stage."""
    stages = raw.get("stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        model = stage.get("model") if isinstance(stage, dict) else None
        if isinstance(model, dict) and model.get("kind") == "graph" and "file" in model:
            yield number, model


def _source(folder: Path, name: object) -> str:
    from securefl.learning.families.graph import is_file_name

    if not is_file_name(name):
        raise StudyError(
            f"{ascii(name)[:60]} is no file beside the template.",
            next_step='Write its name alone, as file = "model.py".',
        )
    text = read_given(folder / str(name), _MOST_BYTES)
    try:
        return text.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{name} is not UTF-8 text (byte {error.start}).", next_step="Save it as UTF-8."
        ) from None


def _lines(text: bytes, source: str) -> list[str]:
    """The keys that the export writes, a line each."""
    from securefl.learning.graphs.graph_export import export_model

    data = parse_data(text).data
    features = sum(len(column_features(column)) for column in data.columns)
    made = export_model(
        source,
        features,
        task_of(data).outputs,
    )
    return [f"graph = {toml_value(made.graph)}\n", f"source = {toml_value(made.source)}\n"]
