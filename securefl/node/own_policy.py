"""Owner's policy as this hospital keeps it: signed by its own key, and asked at each review.

A file that somebody else changed is a fault of every request, and not a policy that allows all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.errors import NotApprovedError, SecureFLError, UnreadableError
from securefl.files import read_file, replace_file
from securefl.report.explain_study import worst_epsilon
from securefl.signed import dump_signed, open_signed
from securefl.study.owner_policy import MAX_POLICY_BYTES, broken_rules, made_policy

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.privacy.planning import Quote
    from securefl.study.owner_policy import OwnerPolicy
    from securefl.study.schema import Study

_TYPE: Final = "securefl-own-policy/1"
_MEND: Final = (
    "Look at what it should say, then sign it again with `securefl site policy set FILE`."
)


def keep_policy(site: Site, policy: OwnerPolicy) -> None:
    """Sign a policy and keep it; the one before is replaced."""
    rules: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    body = {"type": _TYPE, "site": site.name, "rules": rules}
    with site.deciding():
        replace_file(_file(site), dump_signed(body, site.identity.sign))


def drop_policy(site: Site) -> bool:
    """Take the policy away; False where there was none."""
    with site.deciding():
        there = _file(site).exists()
        _file(site).unlink(missing_ok=True)
    return there


def kept_policy(site: Site) -> OwnerPolicy | None:
    """The policy of this hospital; None where its owner made none.

    Raises:
        UnreadableError: the file is not signed by this hospital's key.
    """
    try:
        data = read_file(_file(site), MAX_POLICY_BYTES)
    except FileNotFoundError:
        return None
    try:
        body = open_signed(
            data,
            kind=_TYPE,
            fields=frozenset({"site", "rules"}),
            verify=site.identity.card.verify_ever,
            sender=site.name,
            max_bytes=MAX_POLICY_BYTES,
        )
        return made_policy(body["rules"])
    except SecureFLError:
        raise UnreadableError(
            f"{_file(site)} is not a policy that this hospital signed: somebody else changed it.",
            next_step=_MEND,
        ) from None


def policy_faults(
    site: Site,
    study: Study,
    quote: Quote | None,
) -> list[SecureFLError]:
    """What the owner's own policy has against a study."""
    try:
        policy = kept_policy(site)
    except UnreadableError as error:
        return [error]
    if policy is None:
        return []
    share = None if quote is None else quote.asked_share
    broken = broken_rules(policy, study, epsilon=worst_epsilon(study), share=share)
    return [
        NotApprovedError(
            f"Against this hospital's own policy: {sentence}",
            whose="the researcher (another study), or this hospital's data owner (another policy)",
            next_step="Refuse it, or change the policy with `securefl site policy set FILE`.",
        )
        for sentence in broken
    ]


def _file(site: Site) -> Path:
    return site.path / "policy.signed"
