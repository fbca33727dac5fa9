"""Events of a hospital's privacy ledger, as they stand in its rows.

``protocols/wire/ledger/`` is the page on the format. An event is one JSON object in canonical form
(RFC 8785): text, whole numbers, lists, objects; decimals and ratios are text. Unknown keys are
refused, so no field can ride along unread. Amounts are nano units of Rényi divergence at the
budget's order (:mod:`securefl.privacy.accounting`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from securefl.errors import UnreadableError, UsageError
from securefl.privacy.charges import ChargeTerms, MechanismField, Purpose
from securefl.privacy.mechanisms import decimal_text
from securefl.signed import canonical

FORMAT = "securefl-ledger/1"
#: The longest event read; ours are far below 4 KiB.
MAX_BODY = 64 * 1024
#: What to do about a ledger that is gone or broken. A copy alone is no mend: an older one has
#: forgotten what was spent since.
RESTORE = (
    "Put the newest copy of the ledger back, and run nothing before it was compared with what the"
    " partners hold: `securefl audit --verify --checkpoint FILE`, with the file that `securefl site"
    " checkpoint` writes for you at a partner."
)


#: The longest decimal, in characters of its plain spelling.
MAX_DECIMAL = 60
#: Faults of an event that has more than this version knows: a kind, or a field.
_UNKNOWN = frozenset({"union_tag_invalid", "extra_forbidden"})


class NewerEventError(UnreadableError):
    """Event that has a kind or a field which this version does not know."""


def _decimal(value: object) -> object:
    """Read a decimal in the one spelling that :func:`decimal_text` writes.

    A decimal that this spelling cannot hold is refused. What is built here is held to what is read,
    or a ledger could be written that nobody opens again.
    """
    if isinstance(value, Decimal):
        # The exponent is looked at first: 1E+999999 would be spelt out before its length is known.
        if (
            not value.is_finite()
            or abs(value.adjusted()) > MAX_DECIMAL
            or len(decimal_text(value)) > MAX_DECIMAL
        ):
            raise ValueError(f"a number of more than {MAX_DECIMAL} characters in plain digits")
        return value
    if isinstance(value, str) and len(value) <= MAX_DECIMAL:
        try:
            number = Decimal(value)
        except ArithmeticError as error:
            raise ValueError("not a decimal") from error
        if not number.is_finite() or decimal_text(number) != value:
            raise ValueError("not a decimal in its plain spelling")
        return number
    return value


DecimalText = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(decimal_text)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
#: UTC, ISO 8601.
Time = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$")
]
Amount = Annotated[int, Field(ge=0, lt=1 << 53)]
Count = Annotated[int, Field(ge=1, le=10_000)]
#: How a study can end.
Ending: TypeAlias = Literal["completed", "failed", "withdrawn"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: Time


class Part(BaseModel):
    """One kind of release with what it costs over all attempts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    purpose: Purpose
    mechanism: MechanismField
    cost: Amount


class Genesis(_Event):
    """First event: whose ledger this is.

    ``key`` is the Ed25519 public key that signs every row.
    """

    kind: Literal["genesis"] = "genesis"
    format: Literal["securefl-ledger/1"] = "securefl-ledger/1"
    site: Name
    key: Digest


class Grant(_Event):
    """Owner's grant: adds ``epsilon`` to a population's budget.

    Delta and order stay those of its first grant.
    """

    kind: Literal["grant"] = "grant"
    population: Name
    epsilon: DecimalText
    delta: DecimalText
    order: int
    typical: Name
    typical_parts: tuple[Part, ...]
    reason: Line


class Dataset(_Event):
    """Registration of a data set for a population.

    ``snapshot`` is a hash keyed with a secret of the site.
    """

    kind: Literal["dataset"] = "dataset"
    name: Name
    population: Name
    snapshot: Digest


class Approve(_Event):
    """Owner's yes to one digest, used once.

    ``statement`` is the SHA-256 of the signed approval; ``cost`` the most it can take. ``rule`` is
    the one of the owner's policy that said it; left out where the owner did.
    """

    kind: Literal["approve"] = "approve"
    study: Digest
    id: Name
    researcher: Name
    statement: Digest
    cost: Amount
    rule: Name | None = None

    @model_serializer(mode="wrap")
    def _without_no_rule(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``rule`` out where there is none: an event has one text, also in old ledgers."""
        found: dict[str, Any] = plain(self)
        if self.rule is None:
            del found["rule"]
        return found


class Reserve(_Event):
    """Reservation of all that a study can spend, always directly after its approval.

    ``epsilon`` is the study's own PLD figure at ``delta``, kept for display.
    """

    kind: Literal["reserve"] = "reserve"
    study: Digest
    population: Name
    dataset: Name
    snapshot: Digest
    order: int
    attempts: Count
    parts: tuple[Part, ...]
    epsilon: DecimalText
    delta: DecimalText
    accountants: tuple[Line, ...]
    terms: ChargeTerms


class Start(_Event):
    """Use of the approval: from here on private data may be touched, and the charge stays.

    ``walls`` are those that held round the worker, by their names; left out where nothing was
    reported of them.
    """

    kind: Literal["start"] = "start"
    study: Digest
    walls: Annotated[tuple[Code, ...], Field(max_length=40)] | None = None

    @model_serializer(mode="wrap")
    def _without_no_walls(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``walls`` out where there are none: an event has one text, also in old ledgers."""
        found: dict[str, Any] = plain(self)
        if self.walls is None:
            del found["walls"]
        return found


class Sent(_Event):
    """Release about to leave the house; written before it does.

    ``mechanism`` counts this release's steps.
    """

    kind: Literal["sent"] = "sent"
    study: Digest
    round: Annotated[int, Field(ge=0, le=1_000_000)]
    purpose: Purpose
    mechanism: MechanismField
    sha256: Digest


class Answer(_Event):
    """Unmasking answer to a round, written before it is given (rule 4).

    One for each round, whatever the attempt.
    """

    kind: Literal["answer"] = "answer"
    study: Digest
    round: Annotated[int, Field(ge=0, le=1_000_000)]
    sha256: Digest


class Settle(_Event):
    """End of a study. What it reserved stays charged, unless it never started."""

    kind: Literal["settle"] = "settle"
    study: Digest
    status: Ending


class Refuse(_Event):
    """Refusal of a study.

    ``reason`` is a code that others may see; ``note`` and the shares of the budget are the owner's.
    """

    kind: Literal["refuse"] = "refuse"
    study: Digest
    id: Name
    researcher: Name
    dataset: Name
    reason: Code
    note: Line
    asked: DecimalText | None
    left: DecimalText | None


class Withdraw(_Event):
    """Owner's leaving of a study: nothing more is sent."""

    kind: Literal["withdraw"] = "withdraw"
    study: Digest
    note: Line


class Personalize(_Event):
    """Owner's own use of a table after a study: a personal model is made of the study's, at home.

    Written before the table is read. Nothing leaves, so nothing is charged.
    ``snapshot`` is the table's keyed hash.
    """

    kind: Literal["personalize"] = "personalize"
    study: Digest
    snapshot: Digest


class Endorse(_Event):
    """A person's yes to a study, before the hospital's own: its policy asks two of them.

    ``statement`` is the SHA-256 of the word that the person signed.
    """

    kind: Literal["endorse"] = "endorse"
    study: Digest
    person: Name
    statement: Digest


class OwnFile(_Event):
    """Rules that the owner signed for this hospital, in a file of its folder: in force by their digest.

    ``sha256`` is that of the signed file; None where the owner took the rules away. A file that is
    gone, or another than the newest event names, is noticed.
    """

    kind: Literal["own-file"] = "own-file"
    file: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}\.signed$")]
    sha256: Digest | None


class Delegate(_Event):
    """Yes of a rule that the owner wrote beforehand, directly before the hospital's own.

    ``policy`` is the digest of the signed policy in which the rule stands.
    """

    kind: Literal["delegate"] = "delegate"
    study: Digest
    rule: Name
    policy: Digest


class Exclude(_Event):
    """Patients whom the owner took out of a population: no study reads their rows from now on.

    ``list`` is a hash, keyed with a secret of the site, of the list of all who are out; the list
    stays at home.
    """

    kind: Literal["exclude"] = "exclude"
    population: Name
    list: Digest


class Agree(_Event):
    """Agreement of a consortium that comes into force here, in the owner's name.

    ``agreement`` is its digest, ``supersedes`` that of the version before. From now on every study
    on one of the ``populations`` is held to its articles.
    """

    kind: Literal["agree"] = "agree"
    agreement: Digest
    consortium: Name
    version: Count
    supersedes: Digest | None
    populations: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]


class Depart(_Event):
    """Notice of a party that leaves an agreement; it takes part in nothing from ``effective`` on.

    The hospital's own name here is its own notice.
    """

    kind: Literal["depart"] = "depart"
    agreement: Digest
    party: Name
    effective: Time


class Pause(_Event):
    """Pause: no study starts and nothing leaves the house until ``resume``."""

    kind: Literal["pause"] = "pause"
    note: Line


class Resume(_Event):
    """End of a pause."""

    kind: Literal["resume"] = "resume"


class Revoke(_Event):
    """Owner's taking back of the rest of a population's budget.

    Nothing more is reserved until another grant.
    """

    kind: Literal["revoke"] = "revoke"
    population: Name
    note: Line


class Rotate(_Event):
    """New signing key.

    This row is the last one signed by the old key; ``proof`` is the new key's own signature (hex).
    """

    kind: Literal["rotate"] = "rotate"
    key: Digest
    proof: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class Witness(_Event):
    """Checkpoint of another hospital's ledger that is held here.

    ``size`` events, ending in ``head``.
    """

    kind: Literal["checkpoint"] = "checkpoint"
    site: Name
    size: Annotated[int, Field(ge=1, lt=1 << 53)]
    head: Digest


Event: TypeAlias = (
    Genesis
    | Grant
    | Dataset
    | Approve
    | Reserve
    | Start
    | Sent
    | Answer
    | Settle
    | Refuse
    | Withdraw
    | Personalize
    | Exclude
    | Endorse
    | OwnFile
    | Delegate
    | Agree
    | Depart
    | Pause
    | Resume
    | Revoke
    | Rotate
    | Witness
)
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def dump_event(event: Event) -> str:
    """Write the event's one canonical text.

    >>> dump_event(Pause(at="2026-01-31T12:00:00Z", note="ward moves"))
    '{"at":"2026-01-31T12:00:00Z","kind":"pause","note":"ward moves"}'
    """
    return canonical(event.model_dump(mode="json")).decode()


def load_event(body: str) -> Event:
    """Read :func:`dump_event`'s text; any other spelling of the same event is refused.

    Raises:
        NewerEventError: nothing is wrong but that it says more than this version knows.
        UnreadableError: too long, not an event of this format, or not in canonical form.
    """
    if len(body) > MAX_BODY:
        raise UnreadableError(
            f"A ledger event of {len(body)} characters is longer than any that securefl writes.",
            next_step=RESTORE,
        )
    try:
        event = _ADAPTER.validate_json(body)
    except ValidationError as error:
        kind = UnreadableError
        if {fault["type"] for fault in error.errors()} <= _UNKNOWN:
            kind = NewerEventError
        raise kind(
            f"A ledger event does not follow the format {FORMAT}: {error.errors()[0]['msg']}.",
            next_step=f"Use the version of securefl that wrote the ledger. {RESTORE}",
        ) from error
    # Two texts of one event would have two hashes: only the one that securefl writes is taken.
    if dump_event(event) != body:
        raise UnreadableError(
            "A ledger event is not in canonical form, so securefl did not write it.",
            next_step=RESTORE,
        )
    return event


def checked_event(kind: type[_Event], fields: dict[str, object]) -> Event:
    """Make an event from values that came from outside.

    Raises:
        UsageError: a value does not fit; the text names the field.
    """
    try:
        event: Event = kind(**fields)  # type: ignore[assignment, arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise UsageError(
            f"The ledger cannot note this {kind.__name__.lower()}: {where}: {first['msg']}.",
            next_step="Mend that value.",
        ) from error
    return event
