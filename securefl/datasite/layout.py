"""Layout of PySyft's files in the store and in a site's folder, with their size limits.

Pure text, no I/O. In the store, below ``datasites/<email>/``::

    version.json            PySyft's version of this party
    bundles/<peer>.json     public keys this party made for a peer
    peers/<peer>.json       "this peer asks to be ours"; written by the peer
    inbox/<peer>/…          messages from the peer
    outbox/<peer>/…         messages to the peer
    collections/<name>/…    public files of a data set
    shares/<name>.json      who may see that data set; written last, so a half-written set is
                            never listed
    log/…, checkpoints/…    PySyft's own event log, sealed by this party for itself

In the site's folder (0700)::

    syftbox/          PySyft's synced tree; no private data in it
    keys/pysyft.json  PySyft's private keys (0600), outside the synced tree
    peers.json        whom this party approved; not in the store, where others could write it
    decisions.json    this party's own decisions; outside the synced tree, so that no replay
                      reaches them
    quarantine/       refused messages and log.jsonl
    lock              held while a process works with the datasite
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

ROOT = "datasites"

MAX_SMALL = 64 * 1024
MAX_MESSAGE = 8 * 1024 * 1024
MAX_PLAIN = 16 * 1024 * 1024
MAX_FILES = 64
MAX_EVENTS = 256
MAX_FILE = 1024 * 1024
MAX_HEADER_FILE = 16 * 1024
MAX_PUBLIC_FILE = 16 * 1024 * 1024
MAX_OUTPUT = 256 * 1024
MAX_OUTPUTS = 32
MAX_JOBS_PER_SENDER = 500
MAX_NAMES = 10_000
MAX_QUARANTINE = 200

INBOX = ("app_data", "job", "inbox")
REVIEW = ("app_data", "job", "review")
#: PySyft's folder for the job protocol of the pinned version.
JOB_PROTOCOL = "v1"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def is_name(text: str) -> bool:
    """True if ``text`` can be one component of a path.

    No separator, no hidden file, no parent, no control character.
    """
    return _NAME.fullmatch(text) is not None and ".." not in text


def is_job_name(text: str) -> bool:
    """True if ``text`` can name a request; PySyft reserves ``v1``, ``v2``, … for itself."""
    return (
        _JOB.fullmatch(text) is not None
        and ".." not in text
        and re.fullmatch(r"v\d+", text) is None
    )


def datasite(email: str, *parts: str) -> str:
    """Path in the store below the datasite of ``email``."""
    return "/".join((ROOT, email, *parts))


def split_job_path(path: str, sender: str) -> tuple[str, tuple[str, ...]] | None:
    """Split a canonical path below ``sender``'s inbox into job name and parts inside the job.

    None where it is no such path.
    """
    parts = PurePosixPath(path).parts
    head = (*INBOX, sender, JOB_PROTOCOL)
    if parts[: len(head)] != head or len(parts) < len(head) + 2:
        return None
    job = parts[len(head)]
    inside = parts[len(head) + 1 :]
    if is_job_name(job) and all(is_name(p) for p in inside):
        return job, inside
    return None


def is_event_path(path: str, me: str) -> bool:
    """True if a datasite may tell researcher ``me`` about ``path``.

    Its own requests there, and their reviews.
    """
    parts = PurePosixPath(path).parts
    inside = parts[len(INBOX) + 1 :]
    own = parts[: len(INBOX) + 1] in ((*INBOX, me), (*REVIEW, me))
    return own and 1 <= len(inside) <= 12 and all(is_name(p) for p in inside)
