"""From TOML text to a checked protocol or study; every error names the line and the mend."""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from securefl.errors import StudyError
from securefl.study import version1
from securefl.study.data_part import DataPart
from securefl.study.faults import describe, listed
from securefl.study.fields import tuples
from securefl.study.lines import line_index
from securefl.study.schema import Study, Template
from securefl.study.words import USUAL, Words
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A study is read by people; a longer one is not a study (rule 5: cap before parsing).
MAX_BYTES = 256 * 1024

#: A study has three levels of tables; a deeper file is refused before anything recurses into it.
MAX_DEPTH = 8

# tomllib needs time that grows with the square of a dotted key's parts: minutes for a hostile file
# of the full length.
_LONG_KEY = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*"|'[^'\n]*')[ \t]*+\.[ \t]*+){32}"""
)

_SCHEMAS: dict[type[Template], str] = {Template: "securefl-protocol/2", Study: "securefl-study/2"}

#: Forms of a study file that a later version may write.
_NEWER = re.compile(r"securefl-(?:protocol|study)/(?:[3-9]|[1-9]\d{1,3})")

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class FileWords:
    """Names of a kind of file in its refusals.

    Attributes:
        noun: as in "The study file is not UTF-8 text".
        template: where its reader finds one that is right.
        check: the command that checks it.
        whose: who wrote it; empty for a study's researcher.
    """

    noun: str
    template: str
    check: str
    whose: str = ""


STUDY: Final = FileWords(
    "study file", "Write it like the template of `securefl study init`.", "securefl study check"
)
AGREEMENT: Final = FileWords(
    "agreement",
    "Write it like the one that `securefl consortium new` makes.",
    "securefl consortium check",
    "whoever wrote the agreement",
)
_Template = TypeVar("_Template", bound=Template)


def parse_study(text: str | bytes) -> Study:
    """Read a sealed study.

    Raises:
        StudyError: with each fault's line number, what is wrong and how to mend it.
    """
    return study_from(load_raw(text), text)


def parse_protocol(text: str | bytes) -> Template:
    """Read a protocol (a template without parties). Raises as :func:`parse_study`."""
    return template_from(load_raw(text), text)


def parse_any(text: str | bytes) -> Template:
    """Read a protocol or a study, whichever the text says it is. Raises as :func:`parse_study`."""
    raw = load_raw(text)
    return study_from(raw, text) if is_study(raw) else template_from(raw, text)


def study_from(raw: Mapping[str, Any], text: str | bytes) -> Study:
    """Check what :func:`load_raw` made of a sealed study's text.

    Raises:
        StudyError: with each fault's line number, what is wrong and how to mend it.
    """
    return _checked(raw, text, Study)


def template_from(raw: Mapping[str, Any], text: str | bytes) -> Template:
    """Check what :func:`load_raw` made of a protocol's text. Raises as :func:`study_from`."""
    return _checked(raw, text, Template)


def is_study(raw: Mapping[str, Any]) -> bool:
    """True if a file says that it is a sealed study."""
    return raw.get("schema") == _SCHEMAS[Study]


def words_in(text: bytes) -> Words:
    """What a file calls its parties and subjects, as far as it can be read.

    Meant for the sentences that say what is wrong with the rest of it.
    """
    if b"[words]" not in text:
        return USUAL
    try:
        return Words.model_validate(load_raw(text).get("words", {}))
    except (StudyError, ValidationError):
        return USUAL


def parse_data(text: str | bytes) -> DataPart:
    """Read the columns that a protocol or study declares.

    A fault elsewhere in it is not looked for. Raises as :func:`parse_study`.
    """
    raw = load_raw(text)
    if raw.get("schema") not in _SCHEMAS.values():
        raise _other_schema(raw, _SCHEMAS[Template], text)
    return validated(raw, text, DataPart)


def load_raw(text: str | bytes, words: FileWords = STUDY) -> dict[str, Any]:
    """The TOML as plain values, with size, encoding and syntax checked.

    Args:
        text: the file.
        words: its names in a refusal.

    Raises:
        StudyError: too long, not UTF-8, or not TOML.
    """
    try:
        data = text.encode("utf-8") if isinstance(text, str) else text
        if len(data) > MAX_BYTES:
            raise StudyError(
                f"The {words.noun} has {len(data)} bytes; at most {MAX_BYTES} are read.",
                whose=words.whose,
                next_step="Shorten the texts.",
            )
        source = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")  # some editors write the mark
        deep = _LONG_KEY.search(source) is not None
        raw = {} if deep else tomllib.loads(source)
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise StudyError(
            f"The {words.noun} is not UTF-8 text (byte {error.start}).",
            whose=words.whose,
            next_step="Save it as UTF-8.",
        ) from None
    except (ValueError, RecursionError) as error:  # tomllib lets int()'s own ValueError through
        raise StudyError(
            f"The {words.noun} is not valid TOML: {error}.",
            whose=words.whose,
            next_step="Mend that line.",
        ) from None
    if deep or _depth(raw) > MAX_DEPTH:
        raise StudyError(
            f"The {words.noun} nests tables or lists more than {MAX_DEPTH} deep; none ever does.",
            whose=words.whose,
            next_step=words.template,
        )
    return raw


def _depth(raw: Any) -> int:  # noqa: ANN401
    level = [raw]
    depth = 0
    while level:
        level = [
            v
            for x in level
            if isinstance(x, (dict, list))
            for v in (x.values() if isinstance(x, dict) else x)
        ]
        depth += 1
    return depth


def plain(value: Any) -> Any:  # noqa: ANN401 - TOML values of every kind
    """Turn TOML values into JSON values without floats.

    Times become UTC text, arrays lists; floats are left for the checks to refuse.
    """
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime):
        return time_text(value) if value.tzinfo else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value


def _checked(
    raw: Mapping[str, Any],
    text: str | bytes,
    model: type[_Template],
) -> _Template:
    want = _SCHEMAS[model]
    if raw.get("schema") != want:
        raise _other_schema(raw, want, text)
    return validated(raw, text, model)


def validated(
    raw: Mapping[str, Any],
    text: str | bytes,
    model: type[_Model],
    words: FileWords = STUDY,
) -> _Model:
    """Read plain values by a section's model.

    Args:
        raw: as :func:`load_raw` gave them.
        text: the file, for the line numbers.
        model: the section of the whole file.
        words: the file's names in a refusal.

    Raises:
        StudyError: with each fault's line number, what is wrong and how to mend it.
    """
    try:
        return model.model_validate(tuples(raw))
    except ValidationError as error:
        lines = line_index(_as_text(text))
        faults = [describe(item, lines) for item in _causes(_flat(error))]
        raise StudyError(
            f"The {words.noun} breaks the contract:\n" + listed(faults) + "\n",
            whose=words.whose,
            next_step=f"Mend the lines named above and run `{words.check}` again.",
        ) from None


def _as_text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8")


def _flat(error: ValidationError) -> list[Any]:
    """The faults of a file, those of its stages in their place: each stage is read by a class of
    its own, whose faults come wrapped in one.
    """
    found: list[Any] = []
    for item in error.errors():
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, ValidationError):
            found += [{**below, "loc": (*item["loc"], *below["loc"])} for below in _flat(inner)]
        else:
            found.append(item)
    return found


def _causes(items: list[Any]) -> list[Any]:
    """Keep faults without those that only follow from another.

    A list is too short once its broken items are left out.
    """
    found = []
    for item in items:
        place = item["loc"]
        others = (other["loc"] for other in items if other is not item)
        broken_inside = any(other[: len(place)] == place for other in others)
        if item["type"] == "too_short" and broken_inside:
            continue
        found.append(item)
    return found


def _other_schema(raw: Mapping[str, Any], want: str, text: str | bytes) -> StudyError:
    """The error for a file that is no protocol, or no study, or neither."""
    if raw.get("schema") in (version1.PROTOCOL, version1.STUDY):
        return version1.refuse(raw, _as_text(text))
    if not raw:
        return StudyError(
            "The file is empty: there is no study in it.",
            next_step=(
                "Start from a protocol that is there, like"
                " protocols/studies/first-study/protocol.toml."
            ),
        )
    said = raw.get("schema")
    what = (
        f'The file says schema = {repr(said)[:80]}; expected "{want}".'
        if said is not None
        else f'The file has no line schema = "{want}".'
    )
    if _NEWER.fullmatch(str(said)):
        mend = "If a newer securefl wrote it, install that one: all parties of a study run one."
    elif want == _SCHEMAS[Study]:
        mend = "A protocol becomes a study with `securefl study new`."
    elif said == _SCHEMAS[Study]:
        mend = "Start from the protocol; a sealed study is not edited."
    else:
        mend = f'Write schema = "{want}" at its top, or name another file.'
    return StudyError(what, next_step=mend)
