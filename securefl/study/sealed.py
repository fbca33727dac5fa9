"""Study files that were read: the text, what it says, and the digest that follows from both.

Each text is parsed once, when it comes in. What goes on is the object, so no caller can pair a study
with another one's digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from securefl.study.digest import digest_of
from securefl.study.parse import is_study, load_raw, study_from, template_from
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from securefl.study.schema import Study, Template


@dataclass(frozen=True)
class SealedStudy:
    """A sealed study. Only the text can be given; the rest is worked out from it.

    Attributes:
        text: the file's bytes.
        study: what they say.
        digest: the study's identity, SHA-256 in hex (:mod:`securefl.study.digest`).

    Raises:
        StudyError: the text is no valid sealed study.
    """

    text: bytes = field(repr=False)
    study: Study = field(init=False, repr=False, compare=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        _fill_sealed(self, load_raw(self.text))

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Parse a sealed study.

        Raises:
            StudyError: with each fault's line number, what is wrong and how to mend it.
        """
        return cls(text.encode() if isinstance(text, str) else text)

    @property
    def id(self) -> StudyId:
        """The study's id with its digest."""
        return StudyId(self.study.study.id, self.digest)

    @property
    def name(self) -> str:
        """The name on the pages: the id and the first twelve digits of the digest."""
        return self.id.name


@dataclass(frozen=True)
class UnsealedStudy:
    """A protocol: a study before it has parties, as :func:`securefl.study.seal.seal_study` takes it.

    Attributes:
        text: the file's bytes.
        study: what they say.
        raw: the same as plain TOML values.

    Raises:
        StudyError: the text is no valid protocol.
    """

    text: bytes = field(repr=False)
    study: Template = field(init=False, repr=False, compare=False)
    raw: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _fill_unsealed(self, load_raw(self.text))

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Parse a protocol. Raises as :meth:`SealedStudy.read`."""
        return cls(text.encode() if isinstance(text, str) else text)


def read_any(text: bytes) -> SealedStudy | UnsealedStudy:
    """Read a sealed study or a protocol, whichever the text says it is.

    Raises:
        StudyError: as :meth:`SealedStudy.read`.
    """
    raw = load_raw(text)
    if not is_study(raw):
        protocol = object.__new__(UnsealedStudy)
        object.__setattr__(protocol, "text", text)
        _fill_unsealed(protocol, raw)
        return protocol
    sealed = object.__new__(SealedStudy)
    object.__setattr__(sealed, "text", text)
    _fill_sealed(sealed, raw)
    return sealed


# The classes' constructors take the text alone, so that no caller can pair it with what another
# text says. Here both come from the same text, and it is parsed once.


def _fill_sealed(made: SealedStudy, raw: dict[str, Any]) -> None:
    object.__setattr__(made, "study", study_from(raw, made.text))
    object.__setattr__(made, "digest", digest_of(raw))


def _fill_unsealed(made: UnsealedStudy, raw: dict[str, Any]) -> None:
    object.__setattr__(made, "raw", raw)
    object.__setattr__(made, "study", template_from(raw, made.text))
