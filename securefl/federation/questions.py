"""Questions of a data owner on a request, and the researcher's answers.

Both are signed. An answer names the SHA-256 of the signed question, so it cannot be shown under
another one. Both lie on the board as text: whoever reads the board reads them.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from securefl.errors import UsageError
from securefl.statement import Hex32, Statement

if TYPE_CHECKING:
    from securefl.types import Verify

#: Questions of one hospital on one request.
MOST_QUESTIONS: Final = 20
#: Characters of a question, or of an answer.
MOST_CHARACTERS: Final = 2000
#: Bytes of a signed question or answer; more is refused before it is parsed.
MAX_BYTES: Final = 32 * 1024


def _check_text(text: str) -> str:
    if not text.strip() or len(text) > MOST_CHARACTERS:
        raise ValueError("empty or too long")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign != "\n" for sign in text):
        raise ValueError("a control character")
    return text


def read_text(given: str) -> str:
    """Take a text as a person typed it, with the line ends and edges of a message.

    Raises:
        UsageError: it is empty, too long, or has control characters.
    """
    text = given.replace("\r\n", "\n").replace("\t", " ").strip()
    try:
        return _check_text(text)
    except ValueError:
        raise UsageError(
            f"A question or answer has 1 to {MOST_CHARACTERS:,} characters, and no control"
            f" characters; this one has {len(text):,}. Nothing was sent.",
            next_step="Shorten it, or type it anew.",
        ) from None


Text = Annotated[str, AfterValidator(_check_text)]
Number = Annotated[int, Field(ge=1, le=MOST_QUESTIONS)]


@dataclass(frozen=True)
class Question(Statement):
    """Question of one hospital's owner on a request; ``at`` is UTC in ISO 8601."""

    TYPE: ClassVar[str] = "securefl-study-question/1"
    WHAT: ClassVar[str] = "A question"
    MAX_BYTES: ClassVar[int] = MAX_BYTES

    study: Hex32
    site: str
    number: Number
    text: Text
    at: Annotated[str, Field(max_length=40)]


@dataclass(frozen=True)
class Reply(Statement):
    """Answer of the coordinator; ``question`` is the SHA-256 of the signed question's bytes."""

    TYPE: ClassVar[str] = "securefl-study-reply/1"
    WHAT: ClassVar[str] = "An answer"
    SENDER: ClassVar[str] = "the coordinator"
    MAX_BYTES: ClassVar[int] = MAX_BYTES

    study: Hex32
    site: str
    number: Number
    question: Hex32
    text: Text
    at: Annotated[str, Field(max_length=40)]


@dataclass(frozen=True)
class Place:
    """Place of a question in a study: whose it is, and its number."""

    study: str
    site: str
    number: int

    def question(self, data: bytes, verify: Verify) -> Question:
        """Check and read the question. Raises as :meth:`Statement.open`."""
        return Question.open(
            data, verify=verify, study=self.study, site=self.site, number=self.number
        )

    def reply(self, data: bytes, asked: bytes, verify: Verify) -> Reply:
        """Check and read the answer to exactly the question ``asked``.

        Raises as :meth:`Statement.open`.
        """
        return Reply.open(
            data,
            verify=verify,
            study=self.study,
            site=self.site,
            number=self.number,
            question=sha256(asked),
        )


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
