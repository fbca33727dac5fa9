"""Requests as this hospital keeps them: a folder a digest, found by the short name on the pages."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError, UsageError
from securefl.files import names_in, read_file, replace_file
from securefl.party.study_names import fit_words, meant
from securefl.study.sealed import SealedStudy
from securefl.study.study_id import StudyId
from securefl.unchanged_file import UnchangedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from securefl.node.site import Site


@dataclass(frozen=True)
class KeptRequest:
    """A request that PySyft, a bundle or the board brought: its job there, who sent it, when it was
    taken in.
    """

    digest: str
    study_id: str
    title: str
    job: str
    sender: str
    received: str

    @property
    def id(self) -> StudyId:
        """The study's id with its digest."""
        return StudyId(self.study_id, self.digest)

    @property
    def short(self) -> str:
        """The name on the pages: the study's id and the first twelve digits of its digest."""
        return self.id.name


def keep_request(
    site: Site,
    sealed: SealedStudy,
    *,
    job: str,
    sender: str,
    received: str,
) -> KeptRequest:
    """Keep a request's study for review.

    The same study again changes nothing: the first request of it is returned.
    """
    about = sealed.study.study
    kept = KeptRequest(sealed.digest, about.id, about.title, job, sender, received)
    file = site.study_folder(sealed.digest) / "request.json"
    if file.exists():
        return _read(file)
    site.keep_study(sealed)
    replace_file(file, json.dumps(asdict(kept), indent=1).encode())
    return kept


def kept_requests(site: Site) -> tuple[KeptRequest, ...]:
    """All requests, oldest first."""
    return requests_in(site.path)


def requests_in(folder: Path) -> tuple[KeptRequest, ...]:
    """All requests in a hospital's folder, oldest first."""
    studies = folder / "studies"
    known = _Listed((), ())
    with suppress(FileNotFoundError):  # of a party that has no studies yet
        known = _listed_once(studies)
    late = _present(studies, known.without)
    if not late:
        return known.requests
    return _in_order([*known.requests, *late.values()])


@dataclass(frozen=True)
class _Listed:
    """Requests of a folder of studies, oldest first, and names of studies that have none."""

    requests: tuple[KeptRequest, ...]
    without: tuple[str, ...]


def _list(studies: Path) -> _Listed:
    names = names_in(studies)
    found = _present(studies, names)
    without = tuple(name for name in names if name not in found)
    return _Listed(_in_order(found.values()), without)


def _present(studies: Path, names: Iterable[str]) -> dict[str, KeptRequest]:
    """Requests of these studies: one may have none yet, or have lost it; the others are told of."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = _read_once(studies, name, "request.json")
    return found


def _in_order(found: Iterable[KeptRequest]) -> tuple[KeptRequest, ...]:
    return tuple(sorted(found, key=lambda request: (request.received, request.digest)))


def find_request(
    site: Site, name: str, *, deciding: bool = False
) -> tuple[KeptRequest, SealedStudy]:
    """As :func:`find_kept`, with the study itself.

    Raises:
        UsageError: none or several fit.
        UnreadableError: the kept text is not the one that has this digest.
    """
    kept = find_kept(site, name, deciding=deciding)
    return kept, kept_study(site, kept.digest)


def find_kept(site: Site, name: str, *, deciding: bool = False) -> KeptRequest:
    """Find the one request that is meant by ``name`` (:func:`securefl.party.study_names.meant`).

    Its text is not read.

    Raises:
        UsageError: none or several fit.
    """
    there = {r.id: r for r in kept_requests(site)}
    fits = meant(name, there, deciding=deciding)
    if len(fits) == 1:
        return there[fits[0]]
    near = fits or meant(name, there)
    listed = "There are"
    if fits:
        listed = "They are"
    names = ", ".join(study.name for study in near or there) or "none"
    if near and not fits:
        listed = "It begins the name of"
    step = "`securefl site inbox` lists them."
    if deciding:
        step = (
            "For a decision give the whole id, or six digits or more of the digest; `securefl site"
            " inbox` lists them."
        )
    raise UsageError(
        f"{fit_words(len(fits), 'request', 'requests', name)} {listed}: {names}.", next_step=step
    )


def kept_study(site: Site, digest: str) -> SealedStudy:
    """A study as this hospital keeps it, checked against its digest.

    Raises:
        UnreadableError: missing, or changed since it was kept.
        StudyError: no valid study any more.
    """
    return study_in(site.study_folder(digest), digest)


def study_in(folder: Path, digest: str) -> SealedStudy:
    """The study of that digest, as its folder keeps it. Raises as :func:`kept_study`."""
    file = folder / "study.toml"
    try:
        text = read_file(file)
    except OSError as error:
        raise UnreadableError(
            f"{file} cannot be read: {error.strerror}.",
            next_step="Ask the researcher to send the request again.",
        ) from None
    sealed = _parsed(text)
    if sealed.digest != digest:
        raise UnreadableError(
            f"{file} is not the study that was kept under this digest.",
            next_step="Do not run it; ask the researcher to send the request again.",
        )
    return sealed


@lru_cache(maxsize=64)
def _parsed(text: bytes) -> SealedStudy:
    """A study's text, parsed once: a page that lists studies reads the same ones each time."""
    return SealedStudy.read(text)


def _read(file: Path) -> KeptRequest:
    try:
        return KeptRequest(**json.loads(read_file(file)))
    except (OSError, ValueError, TypeError):
        raise UnreadableError(
            f"{file} cannot be read.", next_step="Remove its folder; the request can be sent again."
        ) from None


#: A console asks for all of them at every page. A kept request is not written again, so all are
#: looked at only where a study came or went: of thousands, the looks alone would be felt.
_read_once = UnchangedFiles(_read)
_listed_once = UnchangedFiles(_list)
