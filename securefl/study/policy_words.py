"""Words of an owner's policy that name what a study may do, held to those that studies can use.

A rule with a word that no study file has allows nothing, and its owner learns of it from a request
that is refused. So a policy is held to the list before it is signed; one that was signed before is
read on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import StudyError
from securefl.study.registries import TASKS
from securefl.study.stages import STAGES
from securefl.study.training import model_kinds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from securefl.study.owner_policy import OwnerPolicy


def check_words(policy: OwnerPolicy) -> None:
    """Check the words for tasks, models and stages in a policy that is about to be signed.

    Raises:
        StudyError: a word that no study file can have, with those that it can.
    """
    rules = policy.approve_alone or ()
    _check("tasks", policy.tasks or (), TASKS.names())
    _check_models("families", policy.families or ())
    for rule in rules:
        place = f'approve_alone "{rule.name}"'
        _check(f"{place}, tasks", rule.tasks, TASKS.names())
        _check(f"{place}, stages", rule.stages, STAGES.names())
        _check_models(f"{place}, families", rule.families)


def _check_models(place: str, words: Iterable[str]) -> None:
    """Check words for models; one that is a family's name is answered with its study files' words."""
    kinds = model_kinds()
    for word in words:
        if word in kinds:
            continue
        same_family = [kind for kind, family in kinds.items() if family == word]
        raise _refused(place, word, same_family or tuple(kinds))


def _check(place: str, words: Iterable[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            raise _refused(place, word, known)


def _refused(place: str, word: str, instead: Iterable[str]) -> StudyError:
    choice = " or ".join(f'"{one}"' for one in instead)
    return StudyError(
        f'That is no policy: {place}: no study file has the word "{word}", so the rule would allow'
        " nothing by it.",
        whose="this hospital's data owner",
        next_step=f"Write {choice}.",
    )
