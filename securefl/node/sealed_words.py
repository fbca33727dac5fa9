"""Words of two people on one study: each committed to first, and opened when both are there.

A person's word (yes or no) is hashed with a nonce of 32 bytes and the hash is signed with the
person's own key: the commitment. Word and nonce stay encrypted under that same key, so that nobody
reads them without the person's passphrase, not even with this hospital's keys. Once both
commitments lie in the study's folder, a word can be opened: it is signed, and it has to fit its
hash. So the second does not know the first's word when giving theirs, and the first cannot change
it after seeing the second's.

    studies/DIGEST/words/NAME   commitment, the sealed word, and the opened one once it is
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from securefl.errors import MessageError, NotApprovedError, SecureFLError, UnreadableError
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.node.own_policy import kept_policy
from securefl.node.people import people_of
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.people import Person, PersonKey
    from securefl.node.site import Site

Word: TypeAlias = Literal["yes", "no"]
#: People who give their word under a policy of two.
TWO: Final = 2
_COMMITMENT: Final = "securefl-commitment/1"
_WORD: Final = "securefl-word/1"
_MOST: Final = 16 * 1024
#: Bytes that are sealed, whatever the word: "yes" and "no" have not the same length.
SEALED_BYTES: Final = 512


@dataclass(frozen=True)
class GivenWord:
    """A person's word on a study as far as it can be seen.

    Args:
        person: whose.
        hash: commitment, in hex.
        sealed: word and nonce under the person's key.
        word: None until it is opened.
        statement: the signed opening; empty until then.
    """

    person: Person
    hash: str
    sealed: bytes
    word: Word | None = None
    statement: bytes = b""


def words_on(site: Site, digest: str) -> tuple[GivenWord, ...]:
    """Words of people who are on the list now; checked.

    Raises:
        UnreadableError: one of them, or the list of people, was changed by somebody else.
    """
    listed = {person.name: person for person in people_of(site)}
    files = entries(_folder(site, digest))
    return tuple(_read(file, listed[file.name], digest) for file in files if file.name in listed)


def give_word(
    site: Site,
    digest: str,
    key: PersonKey,
    word: Word,
) -> tuple[GivenWord, ...]:
    """Commit to a word on a study. The second one's is opened at once.

    Returns:
        The words as they are now.

    Raises:
        NotApprovedError: this person gave theirs before, or two others did.
        UnreadableError: a word was changed by somebody else.
    """
    with site.deciding():
        before = words_on(site, digest)
        name = key.person.name
        if name in {given.person.name for given in before}:
            raise NotApprovedError(
                f"{name} gave their word on this study; it cannot be changed.",
                next_step="`securefl site word ID --as NAME` opens it once both are there.",
            )
        if len(before) >= TWO:
            raise NotApprovedError(
                "Two people gave their words on this study already.",
                next_step="`securefl site review` shows the study.",
            )
        nonce = secrets.token_hex(32)
        body = _body(digest, name, word, nonce)
        about = {"type": _COMMITMENT, "study": digest, "person": name}
        commitment = dump_signed({**about, "hash": _hash(body)}, key.sign)
        sealed = key.seal(canonical(body).ljust(SEALED_BYTES), digest.encode())
        kept = {"commitment": commitment.decode(), "sealed": sealed.hex(), "opening": ""}
        file = private_folder(_folder(site, digest)) / name
        replace_file(file, json.dumps(kept).encode())
        if len(before) + 1 == TWO:
            _open(file, kept, key, digest)
    return words_on(site, digest)


def open_word(site: Site, digest: str, key: PersonKey) -> tuple[GivenWord, ...]:
    """Open one's own word, once both are there. Repeated, it changes nothing.

    Raises:
        NotApprovedError: this person gave none, or the other has not yet.
        UnreadableError: a word was changed by somebody else.
    """
    with site.deciding():
        given = words_on(site, digest)
        if key.person.name not in {word.person.name for word in given} or len(given) < TWO:
            raise NotApprovedError(
                "A word is opened when both are there.",
                next_step="The second person gives theirs with `securefl site word`.",
            )
        file = _folder(site, digest) / key.person.name
        kept = json.loads(read_file(file, _MOST))
        if not kept["opening"]:
            _open(file, kept, key, digest)
    return words_on(site, digest)


def check_two_agree(site: Site, digest: str) -> tuple[GivenWord, ...]:
    """Refuse an approval for which the policy asks two people's yes.

    Returns:
        Their words; none where the policy asks for none.

    Raises:
        NotApprovedError: one is missing or not opened, or is a no.
        UnreadableError: policy, list or a word was changed by somebody else.
    """
    policy = kept_policy(site)
    if policy is None or policy.approvers != TWO:
        return ()
    given = words_on(site, digest)
    opened = [word for word in given if word.word is not None]
    if len(opened) < TWO:
        raise NotApprovedError(
            f"This hospital's policy asks two people: {len(given)} of them gave their word, and"
            f" {len(opened)} of these are opened.",
            whose="the people on this hospital's list",
            next_step="`securefl site word ID --as NAME`, each with their own passphrase.",
        )
    if any(word.word != "yes" for word in opened):
        against = ", ".join(word.person.name for word in opened if word.word != "yes")
        raise NotApprovedError(
            f"Not both said yes: {against} did not.",
            whose="the people on this hospital's list",
            next_step="Refuse it with `securefl site refuse`.",
        )
    return tuple(opened)


def _read(file: Path, person: Person, digest: str) -> GivenWord:
    try:
        kept = json.loads(read_file(file, _MOST))
        made = _opened(kept["commitment"], _COMMITMENT, ("hash",), person, digest)
        given = GivenWord(person, made["hash"], bytes.fromhex(kept["sealed"]))
        if not kept["opening"]:
            return given
        body = _opened(kept["opening"], _WORD, ("word", "nonce"), person, digest)
        if _hash(body) != given.hash or body["word"] not in {"yes", "no"}:
            raise MessageError("The word does not fit its commitment.", whose=person.name)
    except (OSError, ValueError, KeyError, TypeError, SecureFLError):
        raise UnreadableError(
            f"{file} is not a word that {person.name} gave on this study: somebody changed it.",
            next_step="The study cannot be approved; ask for an edited one.",
        ) from None
    return GivenWord(
        person, given.hash, given.sealed, cast("Word", body["word"]), kept["opening"].encode()
    )


def _opened(
    text: str,
    kind: str,
    fields: tuple[str, ...],
    person: Person,
    digest: str,
) -> dict[str, Any]:
    """A person's signed statement on this study."""
    body = open_signed(
        text.encode(),
        kind=kind,
        fields=frozenset({"study", "person", *fields}),
        verify=person.verify,
        sender=person.name,
        max_bytes=_MOST,
    )
    if (body["study"], body["person"]) != (digest, person.name):
        raise MessageError("It is about another study or another person.", whose=person.name)
    return {"type": kind, **body}


def _open(
    file: Path,
    kept: dict[str, str],
    key: PersonKey,
    digest: str,
) -> None:
    body = json.loads(key.open(bytes.fromhex(kept["sealed"]), digest.encode()))
    opening = dump_signed(body, key.sign).decode()
    replace_file(file, json.dumps({**kept, "opening": opening}).encode())


def _body(
    digest: str,
    name: str,
    word: Word,
    nonce: str,
) -> dict[str, str]:
    return {"type": _WORD, "study": digest, "person": name, "word": word, "nonce": nonce}


def _hash(body: dict[str, str]) -> str:
    return hashlib.sha256(canonical(body)).hexdigest()


def _folder(site: Site, digest: str) -> Path:
    return site.study_folder(digest) / "words"
