"""Holders of newer checkpoints: the hospitals whose word is waited for before a study starts.

A restored ledger has forgotten studies, and a restore takes back every note in the folder. What is
left to ask are the hospitals of the list. Three rules say whose answer is needed, whoever takes
part in the next study:

1. every other participant of it;
2. every hospital that by what this folder still knows was handed a checkpoint before: a note of a
   hand-out, a checkpoint that it gave back, its own checkpoint in this ledger, a study with it that
   is not over;
3. of all others on the list, all but one. A study that was forgotten has at least two other
   hospitals, unless it was one of two; so one of those that are heard took part in it, and was
   handed a checkpoint with each round.

Silence is waited for. A hospital that is gone for good is excused by its owner's own command, one
by one, until it is heard again; a participant of the study that is to start cannot be excused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import SecureFLError
from securefl.files import entries, private_folder, replace_file, sync_folder
from securefl.node.pasts import handed_to
from securefl.node.requests import kept_study

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from securefl.node.site import Site

#: So many hospitals of which nothing is known may be silent.
MAY_BE_SILENT = 1


def known_holders(site: Site, cohorts: dict[str, tuple[str, ...]]) -> set[str]:
    """The hospitals that were handed a checkpoint, as far as this folder knows.

    ``cohorts``: participants by study, kept by the caller so that a study's text is read once.
    """
    state = site.ledger.state
    for digest, study in state.studies.items():
        if not study.ended and digest not in cohorts:
            try:
                cohorts[digest] = kept_study(site, digest).study.cohort
            except SecureFLError:
                cohorts[digest] = ()  # it cannot run either
    returned = site.path / "checkpoints" / "returned"
    gave_back = {file.name for file in entries(returned)}
    named = {name for digest in state.studies for name in cohorts.get(digest, ())}
    return handed_to(site) | set(state.witnessed) | gave_back | named


def still_silent(
    listed: Iterable[str],
    known: set[str],
    heard: set[str],
    excused: set[str],
    cohort: Iterable[str],
) -> tuple[list[str], list[str]]:
    """Hospitals whose answers are missing: those named by rules 1 and 2, and by rule 3 where more than one is
    silent.

    >>> still_silent("BCDE", {"B"}, {"D", "E"}, set(), "DE")
    (['B'], [])
    >>> still_silent("BCDE", set(), {"D", "E"}, set(), "DE")
    ([], ['B', 'C'])
    >>> still_silent("BCDE", set(), {"C", "D", "E"}, set(), "DE")
    ([], [])
    """
    taking_part = set(cohort)
    waited_for = taking_part | (known & set(listed))
    named = sorted(
        n for n in waited_for if n not in heard and (n in taking_part or n not in excused)
    )
    others = sorted(n for n in listed if n not in waited_for | heard | excused)
    if len(others) <= MAY_BE_SILENT:
        others = []
    return named, others


def excused(site: Site) -> set[str]:
    """The hospitals that this one's owner does not wait for."""
    return {file.name for file in entries(_folder(site))}


def excuse(site: Site, name: str, at: str) -> None:
    """Do not wait for a hospital any more, until it is heard again.

    ``at``: now, UTC in ISO 8601.
    """
    private_folder(site.path / "checkpoints")
    replace_file(private_folder(_folder(site)) / name, at.encode())


def heard_again(site: Site, name: str) -> None:
    """A hospital has answered: it is waited for again from the next start on."""
    file = _folder(site) / name
    if file.exists():
        file.unlink()
        sync_folder(_folder(site))


def _folder(site: Site) -> Path:
    return site.path / "checkpoints" / "excused"
