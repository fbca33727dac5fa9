"""Clone of a study or protocol: a checked protocol file with changes, also those of an offer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import UsageError
from securefl.files import replace_file
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import worst_epsilon
from securefl.researcher.lower_epsilon import lower_epsilon
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_any
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.study_clone import beginning_of, change, protocol_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.federation.offers import Offer

_HEAD: Final = "# Made by `securefl study clone` from {source}. Check it: `securefl study check`.\n"


def clone_text(
    text: bytes,
    *,
    source: str,
    changes: Mapping[str, str],
    offers: Sequence[Offer] = (),
    study_id: str | None = None,
) -> str:
    """Make a protocol of a study or protocol, and check it as `securefl study check` does.

    Args:
        text: the file.
        source: what it is called, for the first line.
        changes: field to value, as :func:`securefl.study.study_clone.change` takes them.
        offers: of hospitals; the lowest epsilon and the earliest end of all are met.
        study_id: id of the new protocol.

    Raises:
        StudyError: the file is none, or the result breaks the contract or contradicts itself.
        UsageError: a change that fits nowhere.
    """
    parse_any(text)
    raw = protocol_values(text)
    if study_id is not None:
        raw["study"]["id"] = study_id
    change(raw, changes)
    ends = [offer.closes for offer in offers if offer.closes]
    if ends:
        change(raw, {"schedule.closes": beginning_of(min(ends))})
    epsilons = [Decimal(offer.epsilon) for offer in offers if offer.epsilon]
    if epsilons and worst_epsilon(UnsealedStudy.read(dump_toml(raw)).study) > min(epsilons):
        lower_epsilon(raw, min(epsilons))
    made = _HEAD.format(source=_plain(source)) + dump_toml(raw)
    study = UnsealedStudy.read(made).study
    check_consistency(study, PldAccountant(), made)
    if study.schedule.closes <= datetime.now(UTC):
        raise UsageError(
            f"The clone would close on {study.schedule.closes:%Y-%m-%d}, which is past.",
            next_step="Add --set schedule.opens=DATE --set schedule.closes=DATE.",
        )
    return made


def chosen_offers(offers: Sequence[Offer], sites: Sequence[str]) -> list[Offer]:
    """Offers of the named hospitals; ``all`` names every hospital that made one.

    Raises:
        UsageError: one of them has offered nothing.
    """
    if "all" in sites and offers:
        return list(offers)
    by_site = {offer.site: offer for offer in offers}
    silent = [site for site in sites if site not in by_site]
    if silent:
        raise UsageError(
            f"{', '.join(silent)} has offered nothing on this study.",
            next_step=f"Offers came from: {', '.join(by_site) or 'nobody'}.",
        )
    return [by_site[site] for site in sites]


def save_clone(path: str | Path, text: str) -> Path:
    """Write a clone's file.

    Raises:
        UsageError: there is a file of that name.
    """
    target = Path(path)
    if target.exists():
        raise UsageError(
            f"{target} exists already; a file is never overwritten.",
            next_step="Name another file with --out.",
        )
    replace_file(target, text.encode(), mode=0o644)
    return target


def _plain(words: str) -> str:
    """Words that stay on their line of comment."""
    return "".join(sign if sign.isprintable() else " " for sign in words)
