"""Rights in the store by party: where each one writes, and the rule that a store's operator sets.

Patterns of paths, ``*`` for one name, ``?`` for one character. The store's mark is written by whoever
comes first, before there is a rule, and by nobody after: without it every party refuses the store.
Everybody reads everything: what must not be read is sealed or
encrypted. Nothing rests on these rights but that nobody removes another's objects.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from securefl.boards.board import MARKER
from securefl.datasite.address import site_email
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.identity import Role

_ROUND: Final = "studies/*/rounds/*"
_STUDY: Final = "studies/*"
#: Objects that a party of this role writes; ``{me}`` is its name.
_BY_ROLE: Final[dict[Role, tuple[str, ...]]] = {
    "hospital": (
        f"{_STUDY}/approvals/{{me}}",
        f"{_STUDY}/ready/{{me}}",
        f"{_STUDY}/group-commitments/{{me}}",
        f"{_STUDY}/group-nonces/{{me}}",
        f"{_STUDY}/status/{{me}}",
        f"{_STUDY}/returns/{{me}}",
        f"{_STUDY}/receipts/{{me}}",
        f"{_STUDY}/extracts/{{me}}",
        f"{_STUDY}/checkpoints/{{me}}/*",
        # two digits and no star: `NORD-*` would also be the questions of a hospital NORD-2
        f"{_STUDY}/questions/{{me}}-??",
        f"{_STUDY}/offers/{{me}}",
        "recalls/*.{me}",
        f"{_ROUND}/contributions/{{me}}",
        f"{_ROUND}/agreements/{{me}}",
        f"{_ROUND}/complaints/{{me}}",
        f"{_ROUND}/answers/{{me}}",
        "datasets/{me}/*/*",
        "checkpoints/{me}/ask",
        "checkpoints-asked/{me}.*",
        "checkpoints/*/held/{me}",
    ),
    "researcher": (
        f"{_STUDY}/study.toml",
        f"{_STUDY}/invitation",
        f"{_STUDY}/request",
        f"{_STUDY}/call",
        f"{_STUDY}/end",
        f"{_STUDY}/model/*",
        f"{_STUDY}/replies/*",
        f"{_STUDY}/receipts/{{me}}",
        f"{_ROUND}/announcement",
        f"{_ROUND}/key",
        f"{_ROUND}/model",
        f"{_ROUND}/survivors",
        f"{_ROUND}/opening",
        f"{_ROUND}/transcript",
    ),
    "aggregator": (f"{_ROUND}/sum", f"{_STUDY}/status/{{me}}", f"{_STUDY}/receipts/{{me}}"),
}
#: What PySyft's part of a hospital and of a researcher writes; ``{mail}`` is its address there.
_PYSYFT: Final = (
    "identities/{me}/*",
    "datasites/{mail}/**",
    "datasites/*/peers/{mail}*",
    "datasites/*/inbox/{mail}/**",
)
#: What everybody writes: what a check leaves for a moment.
_ALL: Final = ("doctor-*",)


def written_by(role: Role, name: str) -> tuple[str, ...]:
    """Patterns of the paths that a party writes; ``**`` at the end stands for all below.

    >>> written_by("aggregator", "sums")[:2]
    ('studies/*/rounds/*/sum', 'studies/*/status/sums')
    """
    patterns = _BY_ROLE[role]
    if role != "aggregator":
        patterns += _PYSYFT
    mail = site_email(name)
    return tuple(p.format(me=name, mail=mail) for p in patterns) + _ALL


def may_write(role: Role, name: str, path: str) -> bool:
    """True if the rule lets that party write the path.

    >>> may_write("hospital", "SVI", "studies/ab/approvals/SVI")
    True
    >>> may_write("hospital", "SVI", "studies/ab/approvals/SVHC")
    False
    """
    return any(re.fullmatch(_regex(p), path) for p in written_by(role, name))


def _regex(pattern: str) -> str:
    text = re.escape(pattern)
    text = text.replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return text.replace(r"\?", "[^/]")


def rule_of(
    store: str,
    role: Role,
    name: str,
    user: str,
) -> str:
    """The rule that lets a party write its own places in this store, and read all.

    Args:
        store: URL or folder.
        role: of the party.
        name: of the party.
        user: its account at the store.

    Raises:
        UsageError: no rule is known for this kind of store.
    """
    scheme = urlsplit(store).scheme
    if scheme in {"s3", "s3a"}:
        return _s3(store, role, name)
    if scheme in {"", "file", "local", "sftp", "ssh"}:
        return _sticky(store, user)
    if scheme in {"dav", "davs", "webdav", "webdavs"}:
        return _webdav(store, role, name, user)
    raise UsageError(
        f"No rule is known for {scheme}:// stores.",
        next_step=(
            "Let each party read everything and write the places that"
            " `securefl store policy --json -` lists."
        ),
    )


def _s3(store: str, role: Role, name: str) -> str:
    """A policy for the party's own access key (AWS IAM's language, spoken by MinIO and Ceph, too)."""
    parts = urlsplit(store)
    bucket = parts.netloc
    prefix = parts.path.strip("/")
    root = f"arn:aws:s3:::{bucket}/{prefix}".rstrip("/")
    places = [p.replace("**", "*") for p in written_by(role, name)]
    listing: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
    reading = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{root}/*"]}
    writing = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
        "Resource": [f"{root}/{place}" for place in places],
    }
    policy = {"Version": "2012-10-17", "Statement": [listing, reading, writing]}
    return json.dumps(policy, indent=2)


def _sticky(store: str, user: str) -> str:
    """Commands for a folder of several users: all may add, only the owner of a file replaces it."""
    folder = urlsplit(store).path or store
    return "\n".join(
        (
            "# once, as root, where the folder lies; one account for each party",
            "groupadd securefl",
            f"usermod --append --groups securefl {user}",
            f"chgrp -R securefl {folder}",
            "# 2: new folders keep the group; 1: a file is replaced and removed by its owner alone",
            f"find {folder} -type d -exec chmod 3770 {{}} +",
            "# the mark of the store: without it every party refuses the store",
            f"chown root {folder}/{MARKER}",
            f"chmod 640 {folder}/{MARKER}",
            "# beside another party's objects each account can still put new ones",
        )
    )


def _webdav(
    store: str,
    role: Role,
    name: str,
    user: str,
) -> str:
    """A section of Apache's configuration; temporary objects are written beside the place."""
    base = re.escape(urlsplit(store).path.rstrip("/"))
    part = r"\.[0-9a-f]{16}\.part"
    places = []
    for pattern in written_by(role, name)[: -len(_ALL)]:
        folder, slash, last = pattern.rpartition("/")
        places.append(f"{_regex(folder)}{slash}({_regex(last)}|{part})")
    ways = "|".join(places)
    return "\n".join(
        (
            "# <Limit> names what is refused to all others; folders may be made by everybody",
            f'<LocationMatch "^{base}/({ways})$">',
            "  <Limit PUT DELETE MOVE COPY PROPPATCH LOCK UNLOCK>",
            f"    Require user {user}",
            "  </Limit>",
            "</LocationMatch>",
            "# the mark of the store is there and stays: without it every party refuses the store",
            f'<LocationMatch "^{base}/{re.escape(MARKER)}$">',
            "  <Limit PUT DELETE MOVE COPY PROPPATCH LOCK UNLOCK>",
            "    Require all denied",
            "  </Limit>",
            "</LocationMatch>",
        )
    )
