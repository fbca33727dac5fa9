"""Base of the signed statements: each names its type and version, its fields with their checks, who
signs it, and how long it may be.

A statement is a frozen dataclass. Its bytes (:mod:`securefl.signed`) are checked in this order:
length, signature, JSON, canonical form, type, names of the fields, each field by its annotation,
fields that say what the statement is about, and at last what fields say together.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from securefl.errors import MessageError
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.types import Sign, Verify

#: A statement of a few lines; more is refused before it is parsed.
MAX_SMALL: Final = 4096

#: 32 bytes in lower-case hex: a SHA-256, a nonce.
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: A number of events, or of a round where 0 stands for before the first.
Count = Annotated[int, Field(ge=0, lt=1 << 31)]
#: A number of a round, or a length.
Positive = Annotated[int, Field(gt=0, lt=1 << 31)]

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _from_hex(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("not text")  # noqa: TRY004 - pydantic reads ValueError
    data = bytes.fromhex(value)
    if data.hex() != value:
        raise ValueError("not in lower-case hex")
    return data


#: Bytes that travel as lower-case hex.
HexBytes = Annotated[bytes, BeforeValidator(_from_hex), PlainSerializer(bytes.hex)]


class Statement:
    """Base of a frozen dataclass that travels signed.

    Attributes:
        TYPE: name and version, so that no statement passes for one of another kind.
        WHAT: the statement in a refusal, with its article.
        SENDER: who signs it, in a refusal; empty where the caller names the party.
        MAX_BYTES: longer data is refused unread.
        NEXT_STEP: what to do about one that is refused.
    """

    TYPE: ClassVar[str]
    WHAT: ClassVar[str]
    SENDER: ClassVar[str] = ""
    MAX_BYTES: ClassVar[int] = MAX_SMALL
    NEXT_STEP: ClassVar[str] = ""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    def dump(self, sign: Sign) -> bytes:
        """Write the statement as it travels."""
        body = _adapter(type(self)).dump_python(self, mode="json", warnings=False)
        return dump_signed({"type": self.TYPE, **body}, sign)

    @classmethod
    def open(
        cls,
        data: bytes,
        *,
        verify: Verify,
        sender: str = "",
        **expected: object,
    ) -> Self:
        """Check and read a statement that came from elsewhere.

        Args:
            data: the bytes as they came.
            verify: ``verify(signature, message)`` with the key held for the sender
                (:class:`securefl.identity.Verifier`).
            sender: for the error's text, where neither the type nor an expected ``site`` says it.
            expected: field → the value that it must have: whose it is, for which study.

        Raises:
            MessageError: naming the sender and the first check that failed.
        """
        who = cls.SENDER or sender or str(expected["site"])
        fields = frozenset(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]  # every subclass is a dataclass
        body = open_signed(
            data,
            kind=cls.TYPE,
            fields=fields,
            verify=verify,
            sender=who,
            max_bytes=cls.MAX_BYTES,
        )
        try:
            found: Self = _adapter(cls).validate_json(canonical(body))
        except ValidationError as error:
            raise cls._refused(who, f"malformed: {_places(error)}") from None
        other = [name for name, value in expected.items() if getattr(found, name) != value]
        if other:
            raise cls._refused(who, f"about another {', '.join(other)}")
        wrong = found.contradiction()
        if wrong:
            raise cls._refused(who, wrong)
        return found

    def contradiction(self) -> str:
        """What fields say together that cannot be, as the end of "it is ..."; empty where nothing."""
        return ""

    @classmethod
    def _refused(cls, who: str, why: str) -> MessageError:
        return MessageError(
            f"{cls.WHAT} of {who} is refused: it is {why}.",
            whose=who,
            next_step=cls.NEXT_STEP or f"Ask {who} to send it again.",
        )


def _adapter(cls: type[Statement]) -> TypeAdapter[Any]:
    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def _places(error: ValidationError) -> str:
    """The fields that a refusal names, without what stood in them."""
    found: Iterable[str] = (str(fault["loc"][0]) for fault in error.errors() if fault["loc"])
    return ", ".join(sorted(set(found))) or "as a whole"
