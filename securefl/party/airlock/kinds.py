"""Kinds of objects that may pass an airlock, each known by its path.

The list is closed: what has no place here neither leaves nor enters, whatever it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError
from securefl.federation.paths import RECALLS, STUDIES
from securefl.secagg.round_context import ATTEMPT

if TYPE_CHECKING:
    from securefl.study.schema import Study

#: Folders of a board that are looked at; PySyft's own messages stay where they are.
TOPS: Final = (STUDIES, "checkpoints", RECALLS)

COORDINATOR: Final = "the coordinator"
AGGREGATOR: Final = "the aggregator"

_NAME: Final = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
_IN_STUDY: Final = STUDIES + r"/(?P<study>[0-9a-f]{64})/"
_IN_ROUND: Final = _IN_STUDY + rf"rounds/(?P<round>[0-9]{{5}})-{ATTEMPT}/"
_SITE: Final = rf"(?P<site>{_NAME})"


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        word: its name in manifests and on pages.
        pattern: of its path.
        writer: who signs it: a role's word, or the name of a group of the pattern.
        reader: the group or role for whom alone it is; empty where it is for all.
        holds: what it holds, for a page: ``signed``, ``ciphertext`` or ``sealed``.
        early: posted before the signed words that name it.
        unasked: may leave a hospital that has not approved the study.
    """

    word: str
    pattern: re.Pattern[str]
    writer: str
    holds: str = "signed"
    reader: str = ""
    early: bool = False
    unasked: bool = False


def _kind(word: str, pattern: str, writer: str, **more: bool | str) -> Kind:
    return Kind(word, re.compile(pattern), writer, **more)  # type: ignore[arg-type]  # of the fields' types below


KINDS: Final = (
    _kind("study", _IN_STUDY + r"study\.toml", COORDINATOR, early=True, unasked=True),
    _kind("invitation", _IN_STUDY + "invitation", COORDINATOR, unasked=True),
    _kind("request", _IN_STUDY + "request", COORDINATOR),
    _kind("approval", _IN_STUDY + "approvals/" + _SITE, "site"),
    _kind(
        "question",
        _IN_STUDY + "questions/" + _SITE + "-(?P<number>[0-9]{2})",
        "site",
        unasked=True,
    ),
    _kind("reply", _IN_STUDY + "replies/" + _SITE + "-(?P<number>[0-9]{2})", COORDINATOR),
    _kind("offer", _IN_STUDY + "offers/" + _SITE, "site", unasked=True),
    _kind("status", _IN_STUDY + "status/" + _SITE, "site", unasked=True),
    _kind("end", _IN_STUDY + "end", COORDINATOR),
    _kind("call", _IN_STUDY + "call", COORDINATOR),
    _kind("ready", _IN_STUDY + "ready/" + _SITE, "site"),
    _kind("return", _IN_STUDY + "returns/" + _SITE, "site"),
    _kind("receipt", _IN_STUDY + "receipts/" + _SITE, "site"),
    _kind("group-commitment", _IN_STUDY + "group-commitments/" + _SITE, "site"),
    _kind("group-nonce", _IN_STUDY + "group-nonces/" + _SITE, "site"),
    _kind(
        "checkpoint",
        _IN_STUDY + "checkpoints/" + _SITE + rf"/(?P<reader>{_NAME})",
        "site",
        holds="sealed",
        reader="reader",
        early=True,
    ),
    _kind(
        "extract",
        _IN_STUDY + "extracts/" + _SITE,
        "site",
        holds="sealed",
        reader=COORDINATOR,
    ),
    _kind("recall", RECALLS + r"/(?P<study>[0-9a-f]{64})\." + _SITE, "site"),
    _kind("model-statement", _IN_STUDY + "model/statement", COORDINATOR),
    _kind("model", _IN_STUDY + "model/sealed", COORDINATOR, holds="sealed", early=True),
    _kind("announcement", _IN_ROUND + "announcement", COORDINATOR),
    _kind("round-key", _IN_ROUND + "key", COORDINATOR, early=True),
    _kind("broadcast", _IN_ROUND + "model", COORDINATOR, holds="sealed", early=True),
    _kind(
        "contribution",
        _IN_ROUND + "contributions/" + _SITE,
        "site",
        holds="ciphertext",
        early=True,
    ),
    _kind("survivors", _IN_ROUND + "survivors", COORDINATOR),
    _kind("agreement", _IN_ROUND + "agreements/" + _SITE, "site"),
    _kind("complaint", _IN_ROUND + "complaints/" + _SITE, "site"),
    _kind("answer", _IN_ROUND + "answers/" + _SITE, "site"),
    _kind("sum", _IN_ROUND + "sum", AGGREGATOR, holds="ciphertext", early=True),
    _kind("opening", _IN_ROUND + "opening", COORDINATOR, holds="sealed", early=True),
    _kind("transcript", _IN_ROUND + "transcript", COORDINATOR, early=True),
    _kind(
        "checkpoint-question",
        "checkpoints/" + _SITE + "/ask",
        "site",
        unasked=True,
    ),
    _kind(
        "checkpoint-answer",
        rf"checkpoints/(?P<reader>{_NAME})/held/" + _SITE,
        "site",
        holds="sealed",
        reader="reader",
        unasked=True,
    ),
)


@dataclass(frozen=True)
class Place:
    """An object's path, read.

    Attributes:
        path: on the board.
        kind: its kind.
        study: digest of its study; empty where it belongs to none.
        round: number of its round, 0 outside rounds.
        site: the party that its path names; empty where it names none.
        number: of a question or its answer.
        only_for: the party that its path names as its reader.
    """

    path: str
    kind: Kind
    study: str
    round: int
    site: str
    number: int
    only_for: str

    def writer(self, study: Study | None) -> str:
        """The name of the party that writes it."""
        if study is not None and self.kind.writer == COORDINATOR:
            return study.coordinator.name
        if study is not None and self.kind.writer == AGGREGATOR:
            return study.aggregator.name
        return self.site

    def reader(self, study: Study | None) -> str:
        """The name of the party for whom alone it is; empty where it is for all."""
        if study is not None and self.kind.reader == COORDINATOR:
            return study.coordinator.name
        return self.only_for


def place_of(path: str) -> Place:
    """Read a path.

    Raises:
        MessageError: no object of that path passes an airlock.
    """
    for kind in KINDS:
        found = kind.pattern.fullmatch(path)
        if found is None:
            continue
        groups = found.groupdict()
        return Place(
            path,
            kind,
            groups.get("study") or "",
            int(groups.get("round") or 0),
            groups.get("site") or "",
            int(groups.get("number") or 0),
            groups.get("reader") or "",
        )
    raise MessageError(
        f"{path!r} has no place in a study: nothing of that name passes an airlock.",
        whose="whoever put it there",
        next_step="Remove it, after you know what it is and who put it there.",
    )
