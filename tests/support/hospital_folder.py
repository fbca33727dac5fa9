"""A hospital's folder and a small protocol, for the tests of files that real tables taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from click.testing import CliRunner
from conftest import protocol_text
from small_study import SPEC, protocol

from securefl.cli.main import cli
from securefl.learning.artefact import Model, ModelFacts, save_model
from securefl.node.site import Site
from securefl.study.training import training_of

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "patient_id,age,TSH,sex,sick,target"
LETTERS = (
    'kind = "any-of-letters"\npositive = ["E", "F"]\n'
    'negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]\n'
)


def row(patient: str, target: str = "-", age: str = "30", sex: str = "F") -> str:
    """One line of the small protocol's table."""
    return f"{patient},{age},1,{sex},f,{target}"


def table(*lines: str) -> bytes:
    """A table with the small protocol's header."""
    return ("\n".join([HEADER, *lines]) + "\n").encode()


class Screen(NamedTuple):
    """What a command left: exit code, its output as one line, what an error said and what to do."""

    code: int
    words: str
    error: str
    mend: str


def hospital(folder: Path) -> Path:
    """A new hospital's folder in ``folder``."""
    place = folder / "hospital"
    store = str(folder / "store")
    Site.init(
        place, name="A", legal_name="Hospital", email="a@example.org", store=store
    ).ledger.close()
    return place


def typed(*words: object) -> Screen:
    """Type a command."""
    done = CliRunner().invoke(cli, [str(word) for word in words])
    error = done.exception if isinstance(done.exception, Exception) else None
    what = getattr(error, "what", str(error or ""))
    return Screen(
        done.exit_code, " ".join(done.output.split()), what, getattr(error, "next_step", "")
    )


def register(
    folder: Path,
    content: bytes,
    *options: str,
    edits: tuple[tuple[str, str], ...] = (),
    file: str = "t.csv",
    name: str = "records",
) -> Screen:
    """Write a table into ``folder`` and register it there at a new hospital, or at the one that is
    there.
    """
    place = folder / "hospital"
    if not place.exists():
        hospital(folder)
    (folder / file).write_bytes(content)
    protocol = folder / "protocol.toml"
    protocol.write_text(protocol_text(*edits), encoding="utf-8")
    words = ("site", "data", "add", name, folder / file, "--population", "clinic")
    return typed(*words, "--columns", protocol, "--site", place, *options)


def registered(folder: Path) -> list[str]:
    """Names of the data sets that are registered at the hospital."""
    return [entry.name for entry in Site.at(folder / "hospital").settings.datasets]


def saved_model(folder: Path) -> Model:
    """A model of the small protocol with fixed weights, saved in ``folder``."""
    facts = ModelFacts(
        title="A small study",
        study_digest="a" * 64,
        intended_use="Tests only.",
        licence="CC-BY-4.0",
        owner="The hospitals",
        privacy="Epsilon 1 for each patient.",
        figures={},
        participants=("SVI", "STMW"),
    )
    return save_model(folder, np.linspace(-1, 1, 7), training_of(protocol()).model, SPEC, facts)
