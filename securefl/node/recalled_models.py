"""Recalls that lie beside this hospital's models, for a notice to its owner."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from securefl.errors import SecureFLError
from securefl.files import entries
from securefl.learning.model_notices import NOTICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.node.site import Site


class RecalledModel(NamedTuple):
    """A recall by another hospital.

    Attributes:
        name: of the model's study.
        study: its digest.
        by: the hospital.
    """

    name: str
    study: str
    by: str


def recalled_models(site: Site) -> Iterator[RecalledModel]:
    """Each valid recall by another hospital of a model that is here."""
    for folder in entries(site.path / "models"):
        if not (folder / NOTICES).is_dir():
            continue
        # what reads a model is imported where something was recalled
        from securefl.learning.artefact import load_model

        with suppress(SecureFLError):
            model = load_model(folder)
            for said in model.standing().recalls:
                if said.site != site.name:
                    yield RecalledModel(folder.name, said.study, said.site)


def notices_changed(site: Site) -> int:
    """Newest time (ns) at which a notice came beside a model; 0 where none ever did."""
    times = [0]
    for folder in entries(site.path / "models"):
        with suppress(OSError):
            times.append((folder / NOTICES).stat().st_mtime_ns)
    return max(times)
