"""Data of a design as a person names them: a file, a data frame, descriptions of hospitals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.description import Description, published
from securefl.designer.own_table import describe
from securefl.errors import UsageError
from securefl.files import read_given
from securefl.learning.reading import Reading, separator_of
from securefl.learning.table import read_table, table_from_frame
from securefl.study.parse import load_raw

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A table that a person looks at on a desk.
_MOST_BYTES: Final = 1 << 30
_FRAME: Final = "cohort"


@dataclass(frozen=True)
class Given:
    """What was named.

    Attributes:
        table: the columns.
        hospitals: how many describe theirs; 0 where none did.
    """

    table: Description
    hospitals: int = 0


def described(data: Any) -> Given:  # noqa: ANN401 - a path, a frame, a mapping, objects with a description
    """Read columns from whatever a person has.

    Raises:
        UsageError: it is nothing of that kind.
        DataError, StudyError: a table or study file that cannot be read.
    """
    if isinstance(data, (str, Path)):
        return _of_file(Path(data))
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return Given(describe(table_from_frame(data), _FRAME))
    if hasattr(data, "description"):
        return _of_datasets([data])
    if isinstance(data, Mapping):
        return _of_mapping(data)
    if isinstance(data, (list, tuple)):
        return _of_datasets(data)
    raise UsageError(
        f"{type(data).__name__} describes no table.",
        next_step="Give a CSV file, a data frame, or lab.datasets().",
    )


def _of_file(path: Path) -> Given:
    data = read_given(path, _MOST_BYTES)
    if path.suffix == ".toml":
        part = load_raw(data).get("data")
        if not isinstance(part, dict):
            raise UsageError(
                f"{path} has no table [data].", next_step="Name a study file, or a CSV file."
            )
        return Given(published({path.name: _plain(part)}))
    if path.suffix == ".json":
        return _of_mapping(_json(data, path))
    first = data.partition(b"\n")[0].decode("utf-8", "replace")
    reading = Reading(separator=separator_of(first, ()))
    return Given(describe(read_table(data, reading), _name(path.stem)))


def _json(data: bytes, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise UsageError(
        f"{path} is not what `securefl study datasets --json` writes.",
        next_step=f"Write it again: securefl study datasets --json {path}",
    )


def _of_mapping(found: Mapping[str, Any]) -> Given:
    """One description, or the list of them that ``study datasets --json`` writes."""
    if "datasets" not in found:
        return Given(published({"the hospital": _plain(found)}))
    listed = [one for one in found["datasets"] if isinstance(one, dict) and not one.get("fault")]
    sides = {str(one.get("site")): one.get("description") for one in listed}
    kept = {site: _plain(side) for site, side in sides.items() if isinstance(side, dict)}
    return Given(published(kept), len(kept))


def _of_datasets(datasets: Iterable[Any]) -> Given:
    """Data sets of ``lab.datasets()``; those whose signature does not hold are left out."""
    kept = {str(one.site): _plain(one.description) for one in datasets if not one.fault}
    return Given(published(kept), len(kept))


def _plain(value: Any) -> Any:  # noqa: ANN401 - TOML values
    """Values as TOML has them, without those that say nothing."""
    if isinstance(value, Mapping):
        plain = {str(key): _plain(one) for key, one in value.items()}
        return {key: one for key, one in plain.items() if one not in (None, "", [])}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _name(stem: str) -> str:
    """A file's name as the name of a data set."""
    plain = re.sub(
        r"[^A-Za-z0-9_-]+",
        "-",
        stem,
    ).strip("-")
    if not plain[:1].isalpha():
        plain = f"table-{plain}"
    return plain[:40].rstrip("-")
