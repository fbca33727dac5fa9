"""Messages of a round beside ciphertexts, each signed and bound to study and round.

Announcement, status and end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import PUBLIC_CODES, MessageError
from securefl.secagg.round_context import is_kind
from securefl.signed import canonical, dump_signed, open_signed
from securefl.study.fields import NAME
from securefl.study.schema import VERDICTS

if TYPE_CHECKING:
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.types import Sign, Verify


ANNOUNCEMENT: Final = "securefl-round-announcement/2"
STATUS: Final = "securefl-study-status/2"
END: Final = "securefl-study-end/2"
INVITATION: Final = "securefl-study-invitation/1"
COMPLAINT: Final = "securefl-dealing-complaint/1"
CALL: Final = "securefl-study-call/1"
READY: Final = "securefl-study-ready/1"
#: An announcement lists the cohort with a nonce each; 4096 names of 40 characters fit.
MAX_ANNOUNCEMENT: Final = 512 * 1024
MAX_SMALL: Final = 4096

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Announcement:
    """The signed opening of a round: its facts, and the hashes of the two blobs that come with it.

    ``length`` is the number of integers each hospital sends, ``parameters`` the size of the global
    model (float64), ``instances`` the nonces of the ready statements that the coordinator goes by,
    in the order of ``cohort``.
    """

    study: str
    round: int
    attempt: int
    kind: str
    cohort: tuple[str, ...]
    instances: tuple[str, ...]
    length: int
    parameters: int
    model_sha256: str
    sealed_sha256: str
    public_key_sha256: str
    round_digest: str

    def dump(self, sign: Sign) -> bytes:
        """The announcement as it travels."""
        return dump_signed(
            {
                "type": ANNOUNCEMENT,
                **self.__dict__,
                "cohort": list(self.cohort),
                "instances": list(self.instances),
            },
            sign,
        )

    @property
    def by_site(self) -> dict[str, str]:
        """Hospital of the cohort → the nonce that is announced for it."""
        return dict(zip(self.cohort, self.instances, strict=True))


def open_announcement(data: bytes, *, study: str, verify: Verify) -> Announcement:
    """Check and read an announcement of the coordinator.

    Raises:
        MessageError: wrong signature, another study, or a field that is not what it must be.
    """
    fields = frozenset(Announcement.__dataclass_fields__)
    sender = "the coordinator"
    body = open_signed(
        data,
        kind=ANNOUNCEMENT,
        fields=fields,
        verify=verify,
        sender=sender,
        max_bytes=MAX_ANNOUNCEMENT,
    )
    # a stage may need no public figures: then nothing is broadcast but the announcement
    numbers = all(
        type(body[k]) is int and least <= body[k] < 1 << 31
        for k, least in (("round", 1), ("attempt", 1), ("length", 1), ("parameters", 0))
    )
    hashes = ("study", "model_sha256", "sealed_sha256", "public_key_sha256", "round_digest")
    cohort, instances = body["cohort"], body["instances"]
    if (
        not numbers
        or not all(_is_hex(body[k]) for k in hashes)
        or not is_kind(body["kind"])
        or not isinstance(cohort, list)
        or not all(isinstance(c, str) for c in cohort)
        or not isinstance(instances, list)
        or len(instances) != len(cohort)
        or not all(_is_hex(nonce) for nonce in instances)
    ):
        raise MessageError(
            f"An announcement of {sender} has a malformed field.",
            whose=sender,
            next_step="Ask for a new attempt.",
        )
    if body["study"] != study:
        raise MessageError(
            f"An announcement of {sender} is for another study.",
            whose=sender,
            next_step="Ask for a new attempt.",
        )
    return Announcement(**{**body, "cohort": tuple(cohort), "instances": tuple(instances)})


@dataclass(frozen=True)
class Call:
    """Coordinator's word that it is about to begin: every hospital is to say that it is ready.

    ``nonce``: 32 bytes in hex, fresh for each run of the coordinator, so that what a hospital said
    to an earlier one is not taken for an answer.
    """

    study: str
    nonce: str

    def dump(self, sign: Sign) -> bytes:
        """The call as it travels."""
        return dump_signed({"type": CALL, **self.__dict__}, sign)


def open_call(data: bytes, *, study: str, verify: Verify) -> Call:
    """Check and read the coordinator's call. Raises :class:`MessageError`."""
    body = _small(data, CALL, Call, verify, "the coordinator")
    if body["study"] != study or not _is_hex(body["nonce"]):
        raise MessageError("A call is for another study, or has no nonce.", whose="the coordinator")
    return Call(**body)


@dataclass(frozen=True)
class Ready:
    """Hospital's word that it can take part.

    Its table opens and fits, its worker stands, its budget is reserved.

    Args:
        study: the study's digest.
        site: who says it.
        instance: nonce of this run of its agent (32 bytes in hex), which alone will answer rounds
            in the hospital's name.
        call: nonce of the call that this answers.
    """

    study: str
    site: str
    instance: str
    call: str

    def dump(self, sign: Sign) -> bytes:
        """The statement as it travels."""
        return dump_signed({"type": READY, **self.__dict__}, sign)


def open_ready(data: bytes, *, study: str, site: str, verify: Verify) -> Ready:
    """Check and read a hospital's ready statement. Raises :class:`MessageError`."""
    body = _small(data, READY, Ready, verify, site)
    if (
        body["study"] != study
        or body["site"] != site
        or not _is_hex(body["instance"])
        or not _is_hex(body["call"])
    ):
        raise MessageError(
            f"A ready statement of {site} is for another study, by another hospital, or has no"
            " nonces.",
            whose=site,
        )
    return Ready(**body)


@dataclass(frozen=True)
class Status:
    """Hospital's public word on its end: a code out of a fixed list, and the round it concerns.

    Round 0 is before the first. ``cause`` and ``cause_code`` name the party that it follows, and
    that one's code; both empty where it is the first.
    """

    study: str
    site: str
    round: int
    code: str
    cause: str = ""
    cause_code: str = ""

    def dump(self, sign: Sign) -> bytes:
        """The status as it travels."""
        return dump_signed({"type": STATUS, **self.__dict__}, sign)


def open_status(data: bytes, *, study: str, site: str, verify: Verify) -> Status:
    """Check and read a hospital's status. Raises :class:`MessageError`."""
    body = _small(data, STATUS, Status, verify, site)
    if body["study"] != study or body["site"] != site or not _is_count(body["round"]):
        raise MessageError(
            f"A status of {site} is for another study or by another hospital.", whose=site
        )
    if not isinstance(body["code"], str) or body["code"] not in PUBLIC_CODES:
        raise MessageError(f"A status of {site} uses no code of the fixed list.", whose=site)
    if not _is_cause(body):
        raise MessageError(f"A status of {site} names a cause in words of its own.", whose=site)
    return Status(**body)


@dataclass(frozen=True)
class End:
    """The coordinator's last word: ``completed``, or the public code of what failed.

    ``quality`` is the judgement of the study's quality rule
    (:data:`securefl.study.schema.VERDICTS`), drawn from the charged evaluation alone; empty where
    the study was not completed. ``cause`` and ``cause_code`` name the party that ended its part
    first, and its code; both empty where it was none, or the coordinator itself.
    """

    study: str
    outcome: str
    rounds: int
    quality: str = ""
    cause: str = ""
    cause_code: str = ""

    def dump(self, sign: Sign) -> bytes:
        """The end as it travels."""
        return dump_signed({"type": END, **self.__dict__}, sign)


def open_end(data: bytes, *, study: str, verify: Verify) -> End:
    """Check and read the coordinator's end of a study. Raises :class:`MessageError`."""
    body = _small(data, END, End, verify, "the coordinator")
    outcome = body["outcome"]
    if (
        body["study"] != study
        or not _is_count(body["rounds"])
        or not isinstance(outcome, str)
        or outcome not in {"completed", *PUBLIC_CODES}
    ):
        raise MessageError("The end of the study is malformed.", whose="the coordinator")
    if not _is_cause(body):
        raise MessageError(
            "The end of the study names a cause in words of its own.", whose="the coordinator"
        )
    allowed = {"", *VERDICTS} if outcome == "completed" else {""}
    if not isinstance(body["quality"], str) or body["quality"] not in allowed:
        raise MessageError(
            "The end of the study judges its quality in words of its own.", whose="the coordinator"
        )
    return End(**body)


@dataclass(frozen=True)
class Invitation:
    """The coordinator's signed word to the aggregator that this digest is a study of its own."""

    study: str
    coordinator: str

    def dump(self, sign: Sign) -> bytes:
        """The invitation as it travels."""
        return dump_signed({"type": INVITATION, **self.__dict__}, sign)


def open_invitation(data: bytes, *, study: str, verify: Verify) -> Invitation:
    """Check and read an invitation. Raises :class:`MessageError`."""
    body = _small(data, INVITATION, Invitation, verify, "the coordinator")
    if body["study"] != study or not isinstance(body["coordinator"], str):
        raise MessageError(
            "The invitation is for another study, or names nobody.", whose="the coordinator"
        )
    return Invitation(**body)


@dataclass(frozen=True)
class Complaint:
    """Hospital's public word that it cannot use what another hospital dealt to it in a round.

    It does not sign then; no reason, no details. Nobody else can see whether it is true: it names
    whom to ask, and decides nothing.
    """

    study: str
    round: int
    attempt: int
    round_digest: str
    site: str
    about: str

    def dump(self, sign: Sign) -> bytes:
        """The complaint as it travels."""
        return dump_signed({"type": COMPLAINT, **self.__dict__}, sign)


def open_complaint(data: bytes, *, terms: SurvivorTerms, site: str, verify: Verify) -> Complaint:
    """Check and read a hospital's complaint in the round of these terms.

    Raises :class:`MessageError`.
    """
    body, facts = _small(data, COMPLAINT, Complaint, verify, site), terms.facts
    expected = Complaint(
        facts.study, facts.round, facts.attempt, terms.round_digest, site, body["about"]
    )
    if (
        canonical(body) != canonical(expected.__dict__)
        or body["about"] not in terms.cohort
        or body["about"] == site
    ):
        raise MessageError(
            f"A complaint of {site} is for another round, by another hospital, or about none.",
            whose=site,
        )
    return expected


def _small(data: bytes, kind: str, model: type[Any], verify: Verify, sender: str) -> dict[str, Any]:
    fields = frozenset(model.__dataclass_fields__)
    return open_signed(
        data, kind=kind, fields=fields, verify=verify, sender=sender, max_bytes=MAX_SMALL
    )


def _is_cause(body: dict[str, Any]) -> bool:
    """True if it names nobody, or a party by its name with one of the codes."""
    name, code = body["cause"], body["cause_code"]
    if not isinstance(name, str) or not isinstance(code, str):
        return False
    return name == code == "" or (re.fullmatch(NAME, name) is not None and code in PUBLIC_CODES)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31  # type(): True is an int to isinstance


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None
