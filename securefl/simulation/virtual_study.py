"""A study of virtual hospitals: the researcher's file, template or sealed, with invented parties.

Their keys sign and open nothing; they stand there because a study names some.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.study.fields import tuples
from securefl.study.parse import is_study, load_raw
from securefl.study.schema import Study
from securefl.study.seal import dump_toml, sealed_values
from securefl.study.sealed import SealedStudy, UnsealedStudy
from securefl.study.shares import shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PARTIES = (
    "coordinator",
    "aggregator",
    "participants",
    "software",
)
_SOFTWARE = {"securefl": "simulation", "lock_sha256": "0" * 64}


def read_template(text: bytes) -> tuple[UnsealedStudy, dict[str, str]]:
    """Read a template, or a sealed study as one: the template, and site to weight of those named.

    Raises:
        StudyError: it is no valid template or study.
    """
    raw = load_raw(text)
    if not is_study(raw):
        return UnsealedStudy(text), {}
    study = SealedStudy(text).study
    named = {p.name: str(p.weight) for p in study.participants}
    kept = {key: value for key, value in raw.items() if key not in _PARTIES}
    kept["schema"] = "securefl-protocol/2"
    # The template's recipients may be named parties; a simulation sends nothing to anybody.
    kept["outputs"] = {**kept["outputs"], "recipients": []}
    return UnsealedStudy.read(dump_toml(kept)), named


def virtual_study(
    template: UnsealedStudy,
    sites: Sequence[str],
    weights: Mapping[str, str],
) -> Study:
    """The study of these sites, equal in weight unless all of them have one.

    A sealed study is at most 256 KiB of text; a thousand parties are more, so none is written.

    Raises:
        pydantic.ValidationError: the template cannot be sealed.
    """
    given = dict(weights) if set(weights) == set(sites) else None
    weighed = shares(sites, given, "as in the study" if given else None)
    raw = sealed_values(
        template,
        coordinator=_party("virtual-coordinator"),
        aggregator=_party("virtual-aggregator"),
        participants=[
            {**_party(site), "weight": weight, "weight_source": source}
            for site, (weight, source) in weighed.items()
        ],
        software=_SOFTWARE,
    )
    raw["outputs"] = {**raw["outputs"], "recipients": []}
    return Study.model_validate(tuples(raw))


def _party(name: str) -> dict[str, Any]:
    signing = Ed25519PrivateKey.from_private_bytes(_secret("signing", name)).public_key()
    sealing = X25519PrivateKey.from_private_bytes(_secret("sealing", name)).public_key()
    return {
        "name": name,
        "legal_name": f"virtual {name}",
        "email": "nobody@securefl.invalid",
        "signing_public": signing.public_bytes_raw().hex(),
        "sealing_public": sealing.public_bytes_raw().hex(),
    }


def _secret(use: str, name: str) -> bytes:
    """A key that anybody can work out: it protects nothing and must not look as if it did."""
    return hashlib.sha256(f"securefl/simulation/1/{use}/{name}".encode()).digest()
