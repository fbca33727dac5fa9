"""Versions of a model: studies of which each started from the released model of the one before.

A party knows those whose study file it keeps. The order follows from the digests that the studies
name, so nobody can put a version between two others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from securefl.learning.artefact import EDITED, FACTS
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from securefl.learning.artefact import Model
    from securefl.learning.model_notices import ModelStanding
    from securefl.study.schema import Study

#: A line that is longer than this is told up to here.
MOST_VERSIONS: Final = 50


@dataclass(frozen=True)
class ModelVersion:
    """A study of a line, with its model where that is kept.

    Attributes:
        name: id of the study and the first twelve digits of its digest; those alone where its file
            is not kept here.
        digest: the study's digest.
        continues: digest of the study before; empty where it starts from a seed.
        title: of the study.
        hospitals: that take part.
        at: since when the model is kept here, UTC in ISO 8601; empty where it is not.
        model: digest of the released model; empty where it is not kept here.
        folder: of the model; empty where it is not kept here.
        figures: released figures in words.
        standing: of the model; None where it is not kept here.
    """

    name: str
    digest: str
    continues: str = ""
    title: str = ""
    hospitals: tuple[str, ...] = ()
    at: str = ""
    model: str = ""
    folder: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    standing: ModelStanding | None = None

    @property
    def state(self) -> str:
        """Say if the model may be used, in a word or two."""
        if self.standing is None:
            return "not here"
        return self.standing.state

    def as_json(self) -> dict[str, Any]:
        """The version for programs."""
        notices = () if self.standing is None else self.standing.sentences
        return {
            "name": self.name,
            "digest": self.digest,
            "continues": self.continues or None,
            "title": self.title,
            "hospitals": list(self.hospitals),
            "here_since": self.at or None,
            "model_digest": self.model or None,
            "folder": self.folder or None,
            "released": dict(self.figures),
            "state": self.state,
            "notices": list(notices),
        }


def version_of(
    name: str,
    digest: str,
    study: Study,
    model: Model | None,
) -> ModelVersion:
    """A version of which the study file is kept.

    Args:
        name: of the study.
        digest: its digest.
        study: the study.
        model: that it released, where it is kept here.
    """
    version = ModelVersion(
        name,
        digest,
        study.continues or "",
        study.study.title,
        study.cohort,
    )
    if model is None:
        return version
    return _with_model(version, model)


def version_of_model(model: Model, name: str = "") -> ModelVersion:
    """A version of which the model alone is kept, as whoever was given its folder has it."""
    facts = model.facts
    digest = facts.study_digest
    version = ModelVersion(
        name or digest[:12],
        digest,
        facts.continues,
        facts.title,
        facts.participants,
    )
    return _with_model(version, model)


def _with_model(version: ModelVersion, model: Model) -> ModelVersion:
    return ModelVersion(
        version.name,
        version.digest,
        version.continues,
        version.title,
        version.hospitals,
        _since(model.folder),
        model.digest,
        str(model.folder or ""),
        model.facts.figures,
        model.standing(),
    )


def _since(folder: Path | None) -> str:
    """When a model came into its folder: its description is written once and never changed."""
    if folder is None:
        return ""
    file = folder / (EDITED if (folder / EDITED).exists() else FACTS)
    try:
        moment = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return ""
    return time_text(moment)


def line_of(versions: Iterable[ModelVersion], digest: str) -> tuple[ModelVersion, ...]:
    """The line that a study belongs to, the oldest first.

    All that it grew from, and all that grew from it; where two studies continue one, both stand
    there. The oldest that is named and not kept has its digest alone.

    Args:
        versions: all that this party knows.
        digest: of the study that is asked about.
    """
    by_digest = {version.digest: version for version in versions}
    before = _before(by_digest, digest)
    after = _after(by_digest, digest)
    return (*before, *after)[:MOST_VERSIONS]


def _before(by_digest: Mapping[str, ModelVersion], digest: str) -> list[ModelVersion]:
    """Studies from which one grew, the oldest first."""
    found: list[ModelVersion] = []
    named = by_digest[digest].continues
    while named and len(found) < MOST_VERSIONS:
        version = by_digest.get(named, ModelVersion(named[:12], named))
        found.append(version)
        named = version.continues
    return found[::-1]


def _after(by_digest: Mapping[str, ModelVersion], digest: str) -> list[ModelVersion]:
    """A study and all that grew from it, each after the one that it continues."""
    found = [by_digest[digest]]
    for version in found:
        found += [
            other
            for other in by_digest.values()
            # digests make no circle, and a file that somebody wrote can name one
            if other.continues == version.digest and other not in found
        ]
    return found
