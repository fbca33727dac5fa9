"""Choice of the study that a person means: by id, name on the pages, digest, or a beginning.

A name on the pages is :attr:`securefl.study.study_id.StudyId.name`. An id may be the beginning of
another ("surgery-3", "surgery-30d"), so an exact id wins; and a decision is never taken on the
beginning of a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from securefl.learning.model_versions import ModelVersion

#: Fewer digits of a digest are too easily typed by mistake.
LEAST_DIGITS = 6
_DIGEST = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")


def meant(
    typed: str,
    studies: Iterable[StudyId],
    *,
    deciding: bool = False,
) -> tuple[StudyId, ...]:
    """The studies that fit what was typed, in their order; what fits better hides what fits worse.

    In this order: the whole name or digest; the whole id; the id and a beginning of the digest, or
    that beginning alone (six digits or more); and, where nothing is decided, any beginning of a
    name.

    Args:
        typed: by a person.
        studies: all that there are.
        deciding: something follows that cannot be undone: the beginning of a name is not enough.

    >>> from securefl.study.study_id import StudyId
    >>> there = StudyId("surgery-3", "a" * 64), StudyId("surgery-30d", "b" * 64)
    >>> [study.id for study in meant("surgery-3", there)]
    ['surgery-3']
    >>> [study.id for study in meant("surgery", there)]
    ['surgery-3', 'surgery-30d']
    >>> meant("surgery-30", there, deciding=True)
    ()
    >>> [study.id for study in meant("bbbbbb", there, deciding=True)]
    ['surgery-30d']
    """
    rules: tuple[Callable[[StudyId], bool], ...] = (
        lambda study: typed in {study.name, study.digest},
        lambda study: typed == study.id,
        lambda study: _names_digest(typed, study),
        lambda study: not deciding and study.name.startswith(typed),
    )
    known = tuple(studies)
    for fits in rules:
        found = tuple(filter(fits, known))
        if found:
            return found
    return ()


def _names_digest(typed: str, study: StudyId) -> bool:
    part = typed.removeprefix(f"{study.id}-")
    return _DIGEST.fullmatch(part) is not None and study.digest.startswith(part)


def fit_words(
    count: int,
    one: str,
    many: str,
    typed: str,
) -> str:
    """Say in a sentence how many fit.

    >>> fit_words(2, "request", "requests", "sur"), fit_words(0, "study", "studies", "x")
    ("2 requests fit 'sur'.", "No study fits 'x'.")
    """
    if count == 0:
        return f"No {one} fits '{typed}'."
    if count == 1:
        return f"1 {one} fits '{typed}'."
    return f"{count} {many} fit '{typed}'."


def meant_version(name: str, versions: Sequence[ModelVersion]) -> ModelVersion:
    """The version that a person names, by its study's id, name, digest or a beginning of one.

    Raises:
        UsageError: none fits, or several do.
    """
    by_id = {
        StudyId(version.name.rpartition("-")[0], version.digest): version for version in versions
    }
    fits = meant(name, by_id)
    if len(fits) != 1:
        listed = ", ".join(by_id[one].name for one in fits or by_id) or "none"
        raise UsageError(
            f"{fit_words(len(fits), 'study', 'studies', name)} Completed and kept here: {listed}.",
            next_step="Name one of them, or the folder of a model.",
        )
    return by_id[fits[0]]
