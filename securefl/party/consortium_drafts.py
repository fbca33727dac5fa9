"""Draft of an agreement: a starter folder, the parties that are taken in from their cards, and the
next version.

The text is a person's, with comments, so it is edited line by line and never written anew. Only its
last part, the parties, is the program's.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from securefl.agreement.sealed import SealedAgreement
from securefl.errors import StudyError, UsageError
from securefl.files import made_whole, read_given, replace_file
from securefl.party.consortium import (
    AGREEMENT,
    CARDS,
    FOLDER_MODE,
    LEAVING,
    PROSE,
    SIGNATURES,
    ConsortiumFolder,
)
from securefl.statement import MAX_SMALL
from securefl.study.fields import NAME
from securefl.study.parse import AGREEMENT as FILE_WORDS
from securefl.study.parse import load_raw
from securefl.study.seal import dump_toml
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from securefl.identity import IdentityCard

_PARTIES = re.compile(r"^\[\[parties\]\]", re.MULTILINE)
_PROSE_HASH = re.compile(r'^text_sha256 = "[0-9a-f]*"', re.MULTILINE)
_VERSION = re.compile(r"^version = [0-9]+[ \t]*$", re.MULTILINE)
_SUPERSEDES = re.compile(r"^supersedes = .*\n", re.MULTILINE)
_ORDER: Final = ("hospital", "researcher", "aggregator")
#: A first agreement holds for a year, and a first study is open for as long as article 8 allows.
_TERM: Final = timedelta(days=365)
_FIRST_STUDY: Final = timedelta(days=60)
__all__ = ["Draft", "Founding", "found", "next_version", "take_in"]


@dataclass(frozen=True)
class Founding:
    """Answers that a starter folder needs.

    Attributes:
        consortium: its short name.
        title: its name in full.
        population: the patients whom it covers, as hospitals register them.
        country: of parties and stores, ISO 3166-1 alpha-2; more are written by hand.
        hospitals: how many are expected.
        now: UTC.
    """

    consortium: str
    title: str
    population: str
    country: str
    hospitals: int
    now: datetime

    def check(self) -> None:
        """Refuse answers that no agreement could hold.

        Raises:
            UsageError: naming the answer.
        """
        for what, text in (("consortium", self.consortium), ("population", self.population)):
            if not re.fullmatch(NAME, text):
                raise UsageError(
                    f"'{text}' cannot be the name of a {what}.",
                    next_step=(
                        "Names start with a letter and have letters, digits, '-' and '_', at most"
                        " 40 characters."
                    ),
                )
        if not re.fullmatch(r"[A-Z]{2}", self.country):
            raise UsageError(
                f"'{self.country}' is no country.",
                next_step="Give two capital letters (ISO 3166-1), like DE.",
            )
        if self.hospitals < 2:
            raise UsageError(
                "A consortium has at least two hospitals.", next_step="Give --hospitals."
            )


def found(path: Path, answers: Founding) -> ConsortiumFolder:
    """Write a starter folder: agreement, prose, checklists, a first study.

    Raises:
        UsageError: the folder is there already, or an answer cannot stand in an agreement.
        UnreadableError: the file system refuses.
    """
    answers.check()
    if path.exists():
        raise UsageError(f"{path} is there already.", next_step="Name a new folder.")
    starter = files("securefl.party") / "starter"
    texts = {
        PROSE: (starter / PROSE).read_text("utf-8"),
        "first-study/protocol.toml": (starter / "first-study" / "protocol.toml").read_text("utf-8"),
        AGREEMENT: (starter / AGREEMENT).read_text("utf-8"),
    }
    for role in _ORDER:
        name = f"checklists/{role}.md"
        texts[name] = (starter / "checklists" / f"{role}.md").read_text("utf-8")
    with made_whole(path, AGREEMENT) as building:
        for name, text in texts.items():
            replace_file(building / name, _filled(text, answers).encode(), mode=0o644)
        for name in (CARDS, SIGNATURES):
            (building / name).mkdir(exist_ok=True)
        building.chmod(FOLDER_MODE)
    return ConsortiumFolder(path)


def _filled(text: str, answers: Founding) -> str:
    """A starter's text with the answers in its blanks."""
    begins = answers.now.replace(hour=0, minute=0, second=0, microsecond=0)
    hospitals = answers.hospitals
    in_total = max(2, hospitals - 1)
    blanks = {
        'id = "CONSORTIUM"': f'id = "{answers.consortium}"',
        'title = "TITLE"': dump_toml({"title": answers.title}).strip(),
        "# TITLE": f"# {answers.title}",
        '"POPULATION"': f'"{answers.population}"',
        '"COUNTRY"': f'"{answers.country}"',
        "BEGINS": time_text(begins),
        "ENDS": time_text(begins + _TERM),
        "OPENS": time_text(begins),
        "CLOSES": time_text(begins + _FIRST_STUDY),
        "min_participants = 5": f"min_participants = {hospitals}",
        "min_contributors = 4": f"min_contributors = {in_total}",
        "min_contributors = 5": f"min_contributors = {hospitals}",
        "colluders = 3": f"colluders = {hospitals - 2}",
        "signatures = 5": f"signatures = {hospitals}",
    }
    # In one pass: an answer may look like another blank.
    any_blank = "|".join(re.escape(blank) for blank in blanks)
    return re.sub(any_blank, lambda found: blanks[found[0]], text)


@dataclass(frozen=True)
class Draft:
    """An agreement that is being written.

    Attributes:
        sealed: the agreement; None while it is not complete.
        fault: what is missing or wrong; None where it is complete.
        parties: names in it, in its order.
        remarks: what can be signed, and was hardly meant; each is the end of a sentence.
    """

    sealed: SealedAgreement | None
    fault: StudyError | None
    parties: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def take_in(
    folder: ConsortiumFolder,
    cards: Sequence[tuple[IdentityCard, bytes]],
    *,
    country: str,
    remove: Sequence[str] = (),
) -> Draft:
    """Take parties in from their cards, and the prose as it is now by its hash.

    A party of the same name is replaced: it may have new keys.

    Args:
        folder: the consortium's.
        cards: each card with the bytes that it was read from.
        country: of all these parties.
        remove: names that are taken off.

    Raises:
        UsageError: somebody has signed already, or tables stand behind the parties.
        StudyError: the text is no TOML.
        UnreadableError: a file cannot be read or written.
    """
    _check_unsigned(folder)
    text = folder.text().decode("utf-8", "replace")
    raw = load_raw(folder.text(), FILE_WORDS)
    parties = _parties(raw)
    for name in remove:
        if parties.pop(name, None) is None:
            raise UsageError(f"{name} is no party.", next_step="Give a name that stands there.")
    for card, _ in cards:
        parties[card.name] = {**card.fields(), "jurisdiction": country}
    head = _head(text, raw)
    hashed = hashlib.sha256(folder.prose()).hexdigest()
    head = _PROSE_HASH.sub(f'text_sha256 = "{hashed}"', head, count=1)
    ordered = sorted(parties.values(), key=_place)
    changed = f"{head.rstrip()}\n"
    if ordered:
        changed = f"{changed}\n{dump_toml({'parties': ordered})}"
    replace_file(folder.path / AGREEMENT, changed.encode(), mode=0o644)
    for card, data in cards:
        replace_file(folder.path / CARDS / f"{card.name}.json", data, mode=0o644)
    for name in remove:
        (folder.path / CARDS / f"{name}.json").unlink(missing_ok=True)
    names = tuple(party["name"] for party in ordered)
    return _drafted(changed, names, folder.prose().decode("utf-8", "replace"))


def _parties(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = raw.get("parties", [])
    if not isinstance(found, list) or not all(isinstance(p, dict) for p in found):
        raise UsageError(
            "parties is no list of tables.", next_step="Remove it; `invite` writes the parties."
        )
    return {str(party.get("name")): party for party in found}


def _place(party: dict[str, Any]) -> tuple[int, str]:
    role = party.get("role")
    if role in _ORDER:
        return _ORDER.index(role), str(party.get("name"))
    return len(_ORDER), str(party.get("name"))


def _head(text: str, raw: dict[str, Any]) -> str:
    """The text before the parties.

    Raises:
        UsageError: something else stands behind them and would be lost.
    """
    start = _PARTIES.search(text)
    if start is None:
        return text
    head = text[: start.start()]
    rest = {key: value for key, value in raw.items() if key != "parties"}
    if load_raw(head, FILE_WORDS) != rest:
        raise UsageError(
            "Something else stands behind the parties in the agreement, and would be lost.",
            next_step="Move it above the first [[parties]].",
        )
    return head


def _drafted(text: str, parties: tuple[str, ...], prose: str) -> Draft:
    try:
        sealed = SealedAgreement.read(text.encode())
    except StudyError as error:
        return Draft(None, error, parties)
    return Draft(sealed, None, parties, _remarks(sealed, prose))


def _remarks(sealed: SealedAgreement, prose: str) -> tuple[str, ...]:
    """Gaps that a starter leaves to people, and an article that no study could keep."""
    found = []
    agreement = sealed.agreement
    least = agreement.participation.min_participants
    hospitals = sum(party.role == "hospital" for party in agreement.parties)
    if hospitals < least:
        found.append(
            f"article 5 asks for {least} hospitals in a study, and {hospitals} are parties: no"
            " study is possible yet."
        )
    open_lines = sum(line.rstrip().endswith("...") for line in prose.splitlines())
    if open_lines:
        found.append(f"{open_lines} lines of {PROSE} end in '...': write them first.")
    return tuple(found)


def is_signed(folder: ConsortiumFolder) -> bool:
    """True if somebody has signed the present version, or an interrupted amendment put it aside."""
    return bool(_signature_names(folder)) or _is_put_aside(folder)


def _check_unsigned(folder: ConsortiumFolder) -> None:
    signed = _signature_names(folder)
    if signed:
        raise UsageError(
            f"{', '.join(signed)} signed this version: a change would make these signatures those"
            " of another text.",
            next_step="Begin the next version with `securefl consortium amend`.",
        )
    if _is_put_aside(folder):
        raise UsageError(
            "This version was signed and put aside, and then the command was interrupted: the"
            " next version is not begun yet.",
            next_step="Repeat `securefl consortium amend`: it goes on from there.",
        )


def _signature_names(folder: ConsortiumFolder) -> list[str]:
    return sorted(file.stem for file in (folder.path / SIGNATURES).glob("*.signature"))


def _is_put_aside(folder: ConsortiumFolder) -> bool:
    """True while the folder still has the version that lies in ``earlier/`` whole."""
    try:
        digest = folder.sealed().digest
    except StudyError:
        # A draft that says nothing yet was signed by nobody.
        return False
    # The agreement is the last file that is put aside.
    return (folder.earlier(digest).path / AGREEMENT).exists()


def next_version(folder: ConsortiumFolder) -> ConsortiumFolder:
    """Put the present version with its signatures and notices aside, and begin the next one.

    Killed at any moment, the same call goes on. Signatures leave their place before the text
    changes: none of them ever lies beside a text that it does not sign.

    Returns:
        The folder of the present version.

    Raises:
        UsageError: nobody signed the present version, or its version stands on no line of its own.
        StudyError: it is no valid agreement.
    """
    sealed = folder.sealed()
    if not is_signed(folder):
        raise UsageError(
            "Nobody has signed this version yet, so it can be changed as it is.",
            next_step="Edit the file, then `securefl consortium invite`.",
        )
    text = sealed.text.decode("utf-8")
    version = sealed.agreement.consortium.version + 1
    lines = f'version = {version}\nsupersedes = "{sealed.digest}"'
    changed = _VERSION.sub(lines, _SUPERSEDES.sub("", text, count=1), count=1)
    after = SealedAgreement.read(changed.encode()).agreement.consortium
    if (after.version, after.supersedes) != (version, sealed.digest):
        raise UsageError(
            "The version of the agreement stands on no line of its own.",
            next_step=f"Write `version = {version - 1}` on a line below [consortium].",
        )
    aside = folder.earlier(sealed.digest)
    replace_file(aside.path / PROSE, folder.prose(), mode=0o644)
    for file in _signed_files(folder):
        data = read_given(file, MAX_SMALL)
        replace_file(aside.path / file.relative_to(folder.path), data, mode=0o644)
    replace_file(aside.path / AGREEMENT, sealed.text, mode=0o644)
    for name in (SIGNATURES, LEAVING):
        shutil.rmtree(folder.path / name, ignore_errors=True)
    (folder.path / SIGNATURES).mkdir(exist_ok=True)
    replace_file(folder.path / AGREEMENT, changed.encode(), mode=0o644)
    return aside


def _signed_files(folder: ConsortiumFolder) -> list[Path]:
    """Signatures under the present version, and notices of leaving it."""
    signatures = (folder.path / SIGNATURES).glob("*.signature")
    notices = (folder.path / LEAVING).glob("*.leaving")
    return sorted([*signatures, *notices])
