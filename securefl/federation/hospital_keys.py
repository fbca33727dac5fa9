"""The keys of one hospital in one study: its identity, and a secret with each other hospital."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securefl.errors import MessageError
from securefl.secagg.masks import pair_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.study.approval import Approval


@dataclass(frozen=True)
class HospitalKeys:
    """Keys with which a hospital signs and masks.

    Args:
        identity: its own keys.
        pair_secrets: other hospital → the secret that both derive.
    """

    identity: Identity
    pair_secrets: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """This hospital's name in the cohort."""
        return self.identity.card.name

    def within(self, cohort: Collection[str]) -> HospitalKeys:
        """The same keys with the secrets of these hospitals alone: those of one group."""
        secrets = {site: self.pair_secrets[site] for site in cohort if site in self.pair_secrets}
        return HospitalKeys(self.identity, secrets)


def pair_secrets(
    plan: RoundPlan,
    me: str,
    study_key: X25519PrivateKey,
    approvals: Mapping[str, Approval],
) -> dict[str, bytes]:
    """The secret with each other hospital, bound to the study and both names.

    A hospital that names another's study key as its own would make this one derive the same secret
    twice; where the two sort on either side of it, both masks would cancel in its own contribution
    (a key copied needs no private key). So equal keys are refused, and the names are part of the
    secret.

    Raises:
        MessageError: as above.
    """
    owners: dict[str, str] = {}
    for site in plan.study.cohort:
        other = owners.setdefault(approvals[site].study_key, site)
        if other != site:
            raise MessageError(
                f"The approvals of {other} and {site} name the same study key; one of them"
                " copied it.",
                whose=f"{other} or {site}",
                next_step="Do not take part in this study; tell both hospitals.",
            )
    secrets = {}
    for site in plan.study.cohort:
        if site != me:
            shared = pair_secret(study_key, bytes.fromhex(approvals[site].study_key), other=site)
            info = "\n".join(
                ("securefl/federation/pair/1", plan.digest, *sorted((me, site)))
            ).encode()
            secrets[site] = HKDF(SHA256(), 32, salt=None, info=info).derive(shared)
    return secrets
