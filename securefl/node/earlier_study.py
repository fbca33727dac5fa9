"""A request that continues an earlier study, beside what this hospital knows of that one.

A hospital that took part then has its own record: the hash of the model that it worked out from the
totals which it verified. Another start is refused. A hospital that is new has no record, and its
page says so; its privacy does not depend on it (decision 73).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, StudyError, UnreadableError
from securefl.files import private_folder, read_file, replace_file
from securefl.learning.artefact import load_model
from securefl.node.quality import verdict_of
from securefl.node.requests import kept_study, study_in
from securefl.privacy.planning import share
from securefl.report.earlier_study import Continued
from securefl.study.earlier_study import misfits
from securefl.study.schema import quality_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.study.schema import Study
    from securefl.study.sealed import SealedStudy

#: Hash of the model that this hospital made of a study's verified totals, in the study's folder.
_TRAINED = "trained.sha256"
#: A chain that is longer than this is told up to here.
_MOST_VERSIONS = 50


def keep_trained(
    site: Site,
    digest: str,
    sha256: str,
) -> None:
    """Keep the hash of a trained model, for a study that continues it. A full disk ends nothing."""
    with suppress(OSError):
        replace_file(private_folder(site.study_folder(digest)) / _TRAINED, sha256.encode())


def trained_sha256(site: Site, digest: str) -> str | None:
    """The hash that was kept; None where this hospital has none."""
    try:
        return read_file(site.study_folder(digest) / _TRAINED, 64).decode("ascii")
    except (OSError, ValueError):
        return None


def continuation(site: Site, sealed: SealedStudy) -> Continued | None:
    """The study that is continued, as this hospital knows it; None where none is."""
    digest = sealed.study.continues
    if digest is None:
        return None
    line = versions(site, sealed.study)
    known = site.ledger.state.studies.get(digest)
    try:
        earlier = kept_study(site, digest)
    except SecureFLError:
        return Continued(digest, line)
    before = set(earlier.study.cohort)
    now = set(sealed.study.cohort)
    spent = None
    state = ""
    if known is not None:
        state = known.status
        budget = site.ledger.state.budgets.get(known.reservation.population)
        if budget is not None:
            spent = share(known.charged, budget.cap)
    return Continued(
        digest,
        line,
        name=earlier.name,
        title=earlier.study.study.title,
        state=state,
        spent=spent,
        joined=tuple(sorted(now - before)),
        left=tuple(sorted(before - now)),
        checked=trained_sha256(site, digest) == _start(sealed.study),
    )


def continued_name(folder: Path, digest: str) -> str:
    """Name of the study that one continues; empty where it continues none, or is not kept.

    Args:
        folder: of the hospital; it need not be whole.
        digest: of the study.
    """
    root = folder / "studies"
    try:
        earlier = study_in(root / digest, digest).study.continues
    except SecureFLError:
        return ""
    if earlier is None:
        return ""
    try:
        return study_in(root / earlier, earlier).name
    except SecureFLError:
        return earlier[:12]


def versions(site: Site, study: Study) -> tuple[str, ...]:
    """Names of the studies before, the newest first, as far as they are kept here."""
    found: list[str] = []
    digest = study.continues
    while digest is not None and len(found) < _MOST_VERSIONS:
        try:
            earlier = kept_study(site, digest)
        except SecureFLError:
            found.append(digest[:12])
            break
        found.append(earlier.name)
        digest = earlier.study.continues
    return tuple(found)


def continuation_faults(site: Site, study: Study) -> tuple[SecureFLError, ...]:
    """Contradictions between a request that continues a study and this hospital's own record."""
    digest = study.continues
    if digest is None:
        return ()
    try:
        earlier = kept_study(site, digest)
    except SecureFLError:
        return ()
    name = earlier.name
    faults = [
        _fault(f"The study continues {name}, and {why}.") for why in misfits(earlier.study, study)
    ]
    own = trained_sha256(site, digest)
    if own is not None and own != _start(study):
        faults.append(
            _fault(
                f"The study says that it starts from the model of {name}, and its first weights"
                " are not those that this hospital worked out then."
            )
        )
    verdict = verdict_of(site.study_folder(digest))
    if verdict is not None and quality_of(earlier.study).withholds(verdict):
        faults.append(_fault(f"The quality rule of {name} withholds its model from everybody."))
    if _recalled(site, name):
        faults.append(
            _fault(f"The model of {name} was recalled, and no study is to start from it.")
        )
    return tuple(faults)


def _recalled(site: Site, name: str) -> bool:
    """True where this hospital, or more than half of them, recalled the model that is kept here."""
    try:
        model = load_model(site.path / "models" / name, own=site.name)
    except UnreadableError:
        return False
    return model.standing().recalled


def _start(study: Study) -> str | None:
    return training_of(study).model.initial_sha256


def _fault(what: str) -> StudyError:
    return StudyError(
        what,
        whose="the researcher",
        next_step="Refuse it, and ask the researcher for a study that starts as it says.",
    )
