"""Messages of a round beside ciphertexts, each signed and bound to study and round.

A type says its fields and their checks; :class:`securefl.statement.Statement` does the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator

from securefl.errors import PUBLIC_CODES
from securefl.secagg.round_context import is_kind
from securefl.statement import MAX_SMALL, Count, Hex32, Positive, Statement
from securefl.study.fields import NAME
from securefl.study.schema import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.secagg.group_draw import Groups
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.types import Verify

__all__ = [
    "MAX_ANNOUNCEMENT",
    "MAX_SMALL",
    "Announcement",
    "Call",
    "Complaint",
    "End",
    "GroupedAnnouncement",
    "Invitation",
    "Ready",
    "Status",
]

#: An announcement lists the cohort with a nonce each; 4096 names of 40 characters fit.
MAX_ANNOUNCEMENT: Final = 512 * 1024
_COORDINATOR: Final = "the coordinator"


def _check_kind(word: str) -> str:
    if not is_kind(word):
        raise ValueError("not the kind of a release")
    return word


def _check_code(word: str) -> str:
    if word not in PUBLIC_CODES:
        raise ValueError("not a code of the fixed list")
    return word


def _check_outcome(word: str) -> str:
    if word == "completed":
        return word
    return _check_code(word)


#: The kind of a release, as a word; which kinds there are, the study says.
Kind = Annotated[str, AfterValidator(_check_kind)]
#: A public code of :data:`securefl.errors.PUBLIC_CODES`.
Code = Annotated[str, AfterValidator(_check_code)]


@dataclass(frozen=True)
class Announcement(Statement):
    """The opening of a round: its facts, and the hashes of the two blobs that come with it.

    ``length`` is the number of integers each hospital sends, ``parameters`` the size of the global
    model (float64), ``instances`` the nonces of the ready statements that the coordinator goes by,
    in the order of ``cohort``.
    """

    TYPE: ClassVar[str] = "securefl-round-announcement/2"
    WHAT: ClassVar[str] = "An announcement"
    SENDER: ClassVar[str] = _COORDINATOR
    MAX_BYTES: ClassVar[int] = MAX_ANNOUNCEMENT
    NEXT_STEP: ClassVar[str] = "Ask for a new attempt."

    study: Hex32
    round: Positive
    attempt: Positive
    kind: Kind
    cohort: tuple[str, ...]
    instances: tuple[Hex32, ...]
    length: Positive
    #: 0 where a stage needs no public figures: then nothing is broadcast but the announcement.
    parameters: Count
    model_sha256: Hex32
    sealed_sha256: Hex32
    public_key_sha256: Hex32
    round_digest: Hex32

    @classmethod
    def of_round(cls, said: Mapping[str, Any], groups: Groups) -> Self:  # noqa: ARG003 - where there are some
        """The announcement that says this, of a round with those groups."""
        return cls(**said)

    @property
    def by_site(self) -> dict[str, str]:
        """Hospital of the cohort → the nonce that is announced for it."""
        return dict(zip(self.cohort, self.instances, strict=True))

    @property
    def division(self) -> Groups:
        """The groups that are summed each by itself; none where all make one sum."""
        return ()

    def contradiction(self) -> str:
        """As many nonces as hospitals; see :meth:`Statement.contradiction`."""
        if len(self.instances) == len(self.cohort):
            return ""
        return "without a nonce for each"


@dataclass(frozen=True)
class GroupedAnnouncement(Announcement):
    """The opening of a round in a study that trains by groups.

    ``groups`` are those that the hospitals' lot draws for the round; none in a round that is no
    training. The coordinator says them for whoever adds, and every hospital draws them itself.
    """

    TYPE: ClassVar[str] = "securefl-grouped-announcement/1"

    groups: tuple[tuple[str, ...], ...]

    @classmethod
    def of_round(cls, said: Mapping[str, Any], groups: Groups) -> Self:
        """See :class:`Announcement`."""
        return cls(**said, groups=groups)

    @property
    def division(self) -> Groups:
        """See :class:`Announcement`."""
        return self.groups


@dataclass(frozen=True)
class Call(Statement):
    """Coordinator's word that it is about to begin: every hospital is to say that it is ready.

    ``nonce``: 32 bytes in hex, fresh for each run of the coordinator, so that what a hospital said
    to an earlier one is not taken for an answer.
    """

    TYPE: ClassVar[str] = "securefl-study-call/1"
    WHAT: ClassVar[str] = "A call"
    SENDER: ClassVar[str] = _COORDINATOR

    study: Hex32
    nonce: Hex32


@dataclass(frozen=True)
class Ready(Statement):
    """Hospital's word that it can take part.

    Its table opens and fits, its worker stands, its budget is reserved.

    Args:
        study: the study's digest.
        site: who says it.
        instance: nonce of this run of its agent (32 bytes in hex), which alone will answer rounds
            in the hospital's name.
        call: nonce of the call that this answers.
    """

    TYPE: ClassVar[str] = "securefl-study-ready/1"
    WHAT: ClassVar[str] = "A ready statement"

    study: Hex32
    site: str
    instance: Hex32
    call: Hex32


def _cause_in_own_words(cause: str, code: str) -> str:
    """The contradiction of a cause that names neither nobody, nor a party by its name with one of
    the codes.
    """
    if cause == code == "" or (re.fullmatch(NAME, cause) and code in PUBLIC_CODES):
        return ""
    return "with a cause in words of its own"


@dataclass(frozen=True)
class Status(Statement):
    """Hospital's public word on its end: a code out of a fixed list, and the round it concerns.

    Round 0 stands for before the first.

    Round 0 is before the first. ``cause`` and ``cause_code`` name the party that it follows, and
    that one's code; both empty where it is the first.
    """

    TYPE: ClassVar[str] = "securefl-study-status/2"
    WHAT: ClassVar[str] = "A status"

    study: Hex32
    site: str
    round: Count
    code: Code
    cause: str = ""
    cause_code: str = ""

    def contradiction(self) -> str:
        """See :meth:`Statement.contradiction`."""
        return _cause_in_own_words(self.cause, self.cause_code)


@dataclass(frozen=True)
class End(Statement):
    """The coordinator's last word: ``completed``, or the public code of what failed.

    ``quality`` is the judgement of the study's quality rule
    (:data:`securefl.study.schema.VERDICTS`), drawn from the charged evaluation alone; empty where
    the study was not completed, or makes no model. ``cause`` and ``cause_code`` name the party that ended its part
    first, and its code; both empty where it was none, or the coordinator itself.
    """

    TYPE: ClassVar[str] = "securefl-study-end/2"
    WHAT: ClassVar[str] = "The end of the study"
    SENDER: ClassVar[str] = _COORDINATOR

    study: Hex32
    outcome: Annotated[str, AfterValidator(_check_outcome)]
    rounds: Count
    quality: str = ""
    cause: str = ""
    cause_code: str = ""

    def contradiction(self) -> str:
        """See :meth:`Statement.contradiction`."""
        allowed = {"", *VERDICTS} if self.outcome == "completed" else {""}
        if self.quality not in allowed:
            return "with a judgement of its quality in words of its own"
        return _cause_in_own_words(self.cause, self.cause_code)


@dataclass(frozen=True)
class Invitation(Statement):
    """The coordinator's word to the aggregator that this digest is a study of its own."""

    TYPE: ClassVar[str] = "securefl-study-invitation/1"
    WHAT: ClassVar[str] = "The invitation"
    SENDER: ClassVar[str] = _COORDINATOR

    study: Hex32
    coordinator: str


@dataclass(frozen=True)
class Complaint(Statement):
    """Hospital's public word that it cannot use what another hospital dealt to it in a round.

    So it does not sign. No reason, no details.

    It does not sign then; no reason, no details. Nobody else can see whether it is true: it names
    whom to ask, and decides nothing.
    """

    TYPE: ClassVar[str] = "securefl-dealing-complaint/1"
    WHAT: ClassVar[str] = "A complaint"

    study: Hex32
    round: Positive
    attempt: Positive
    round_digest: Hex32
    site: str
    about: str

    @classmethod
    def open_in(
        cls,
        data: bytes,
        *,
        terms: SurvivorTerms,
        site: str,
        verify: Verify,
    ) -> Complaint:
        """Check and read a hospital's complaint in the round of these terms.

        Raises:
            MessageError: as :meth:`Statement.open`, or it is about nobody else of the round.
        """
        facts = terms.facts
        found = cls.open(
            data,
            verify=verify,
            site=site,
            study=facts.study,
            round=facts.round,
            attempt=facts.attempt,
            round_digest=terms.round_digest,
        )
        if found.about not in terms.cohort or found.about == site:
            raise cls._refused(site, "about nobody else of the round")
        return found
