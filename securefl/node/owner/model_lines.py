"""Models of a hospital as versions of studies that grew from one another, and which is in use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from securefl.errors import SecureFLError
from securefl.learning.artefact import load_model
from securefl.learning.model_versions import (
    ModelVersion,
    line_of,
    version_of,
    version_of_model,
)
from securefl.node.model_uses import use_of
from securefl.node.models import list_models
from securefl.node.requests import kept_study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.artefact import Model
    from securefl.node.site import Site


@dataclass(frozen=True)
class ModelInUse:
    """A model that is here, and how it is used.

    Attributes:
        version: study and model.
        researcher: who coordinated its study; empty where the study's file is not kept.
        first: when it scored here first, UTC in ISO 8601; empty where it never did.
        last: when it scored here last.
        in_use: it scored last, of all versions of its line.
        newer: name of the newest later version that is here and usable; empty where there is none.
    """

    version: ModelVersion
    researcher: str
    first: str
    last: str
    in_use: bool = False
    newer: str = ""


def known_versions(site: Site) -> tuple[ModelVersion, ...]:
    """All studies that were completed here, and models that came without one."""
    return tuple(_versions(site))


def models_in_use(site: Site) -> tuple[ModelInUse, ...]:
    """Models that are here, by line and age, each with its use."""
    versions = tuple(_versions(site))
    found: dict[str, ModelInUse] = {}
    for version in versions:
        if version.standing is None or version.digest in found:
            continue
        line = [_used(site, one) for one in line_of(versions, version.digest) if one.standing]
        found.update({one.version.digest: one for one in _judged(line)})
    return tuple(found.values())


def _judged(line: Sequence[ModelInUse]) -> Iterator[ModelInUse]:
    """Say of each model of a line whether it is in use, and which later one could be."""
    # Times are whole seconds: of two in the same one the newer version counts.
    scored = [place for place, one in enumerate(line) if one.last]
    newest = max(scored, key=lambda place: (line[place].last, place), default=None)
    for place, one in enumerate(line):
        later = [other for other in line[place + 1 :] if _grew_from(other, one, line)]
        usable = [other.version.name for other in later if not _refused(other.version)]
        newer = usable[-1] if usable else ""
        yield replace(one, in_use=place == newest, newer=newer)


def _grew_from(
    later: ModelInUse,
    earlier: ModelInUse,
    line: Sequence[ModelInUse],
) -> bool:
    """True where one version grew from another, over versions that are here."""
    by_digest = {one.version.digest: one.version for one in line}
    version: ModelVersion | None = later.version
    while version is not None:
        if version.continues == earlier.version.digest:
            return True
        version = by_digest.get(version.continues)
    return False


def _refused(version: ModelVersion) -> bool:
    return version.standing is None or version.standing.refused


def _used(site: Site, version: ModelVersion) -> ModelInUse:
    researcher = ""
    with suppress(SecureFLError):
        researcher = kept_study(site, version.digest).study.coordinator.legal_name
    use = use_of(site, version.digest)
    if use is None or use.model != version.model:
        return ModelInUse(version, researcher, "", "")
    return ModelInUse(version, researcher, use.first, use.last)


def _versions(site: Site) -> Iterator[ModelVersion]:
    models = _models(site)
    for digest, study in site.ledger.state.studies.items():
        if study.status != "completed":
            continue
        try:
            sealed = kept_study(site, digest)
        except SecureFLError:
            continue
        yield version_of(sealed.name, digest, sealed.study, models.pop(digest, None))
    for model in models.values():
        name = model.folder.name if model.folder else ""
        yield version_of_model(model, name)


def _models(site: Site) -> dict[str, Model]:
    """Digest of its study to each model that is here."""
    rows = [row for row in list_models(site) if row.folder is not None]
    return {row.digest: load_model(row.folder, own=site.name) for row in rows if row.folder}
