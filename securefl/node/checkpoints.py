"""This hospital's checkpoints at the others, and theirs here
(:mod:`securefl.federation.checkpoints` says why).

What a hospital that was restored from a backup would forget, the others still hold: it does not
start a study before those that may hold it have answered its question, and stops for good when its
ledger lacks what they hold.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import (
    LedgerAlteredError,
    MessageError,
    SecureFLError,
    UnreadableError,
    UntrustedError,
)
from securefl.federation import checkpoints as said
from securefl.federation.party_board import PartyBoard
from securefl.federation.study_board import StudyBoard
from securefl.files import private_folder, replace_file
from securefl.node.answered import Answered
from securefl.node.holders import (
    MAY_BE_SILENT,
    excused,
    heard_again,
    known_holders,
    still_silent,
)
from securefl.node.pasts import doubt, doubted, keep_past, known_past, note_handed, two_pasts
from securefl.privacy.ledger import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site
    from securefl.privacy.ledger import Checkpoint


def hospitals_of(site: Site) -> dict[str, IdentityCard]:
    """The other hospitals of this site's own list."""
    return {
        name: card
        for name, card in site.book.cards().items()
        if card.role == "hospital" and name != site.name
    }


def kept_path(site: Site, name: str) -> Path:
    """Path of another hospital's newest checkpoint, as ``securefl audit --checkpoint`` takes it."""
    return site.path / "checkpoints" / name


def hand_out(site: Site, digest: str, cohort: Iterable[str]) -> None:
    """Give every other participant a checkpoint of the ledger as it is now, and say which ones it
    was handed before.

    Raises:
        StoreError: the store takes nothing now.
    """
    cards = hospitals_of(site)
    signed = site.ledger.checkpoint()
    checkpoint = site.ledger.read_own(signed)
    for name in cohort:
        if name in cards:
            past = note_handed(site, name, checkpoint)
            handed = said.Handed(
                site.name,
                name,
                signed,
                past,
                _given_back(site, name),
            ).dump(site.identity.sign)
            sealed = cards[name].seal(handed, said.handed_info(digest, site.name, name))
            StudyBoard(site.board, digest).checkpoint(site.name, name).post(sealed)


def _given_back(site: Site, name: str) -> said.Point | None:
    """The checkpoint of this ledger that ``name`` gave back when it was last asked."""
    try:
        found = site.ledger.read_own((site.path / "checkpoints" / "returned" / name).read_bytes())
    except (OSError, MessageError, UntrustedError):
        return None
    if site.ledger.contains(found):
        return (found.size, found.head)
    return None


def collect(site: Site, digest: str, cohort: Iterable[str]) -> list[str]:
    """Keep what the other participants of a study handed to this hospital, where it is newer than
    what is kept.

    Returns:
        Lines for the owner's log, about hospitals whose ledger has two pasts.

    Raises:
        StoreError: the store cannot be read now.
    """
    found = []
    cards = hospitals_of(site)
    for name in cohort:
        sealed = None
        if name in cards:
            sealed = StudyBoard(site.board, digest).checkpoint(name, site.name).read_as(bytes)
        if sealed is None:
            continue
        try:
            data = site.identity.unseal(sealed, said.handed_info(digest, name, site.name))
            handed = said.Handed.open(
                data,
                site=name,
                reader=site.name,
                verify=cards[name].verify,
            )
            if (line := _keep(site, cards[name], handed, data)) is not None:
                found.append(line)
        except MessageError:
            continue  # anybody can write into the store: what is not that hospital's is not there
    return found


def kept(site: Site, card: IdentityCard) -> tuple[Checkpoint, bytes] | None:
    """The newest checkpoint of another hospital that is held here, read and as signed; None without
    one.

    Raises:
        UnreadableError: there is one, and that hospital's present card cannot check it.
    """
    data = _stored(site, card.name)
    path = kept_path(site, card.name)
    if data is None:
        return None
    try:
        # it may have been signed before that hospital changed its keys; what comes new must be by
        # the present one
        return read_checkpoint(data, site=card.name, verify=card.verify_ever), data
    except MessageError:
        raise UnreadableError(
            f"The checkpoint of {card.name} that is kept in {path} is by no key that {card.name}'s"
            f" present card names. It stays, and {card.name} is given it when it asks.",
            whose=card.name,
            next_step=(
                f"Telephone {card.name}, and trust its newest card. Only if it began anew with"
                " another ledger, move the file away: newer checkpoints are kept after that."
            ),
        ) from None


def _stored(site: Site, name: str) -> bytes | None:
    """The file of another hospital's newest checkpoint, unread; None where there is none.

    Raises:
        UnreadableError: there is one, and it cannot be read, or is longer than any checkpoint.
    """
    path = kept_path(site, name)
    try:
        with path.open("rb") as file:
            data = file.read(said.MAX_CHECKPOINT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(
            f"The checkpoint of {name} that is kept in {path} cannot be read: {error.strerror}.",
            whose="this machine's operator",
            next_step=(
                f"Mend the file's rights or its disk; {name} waits for it before it starts a study."
            ),
        ) from None
    if len(data) > said.MAX_CHECKPOINT:
        raise UnreadableError(
            f"{path} is no checkpoint: it is too long.",
            whose="the data owner",
            next_step="Restore it from your backup, or move it away.",
        )
    return data


def _keep(
    site: Site,
    card: IdentityCard,
    handed: said.Handed,
    data: bytes,
) -> str | None:
    new = read_checkpoint(handed.checkpoint, site=card.name, verify=card.verify)
    try:
        held = kept(site, card)
    except UnreadableError as error:
        return str(error)  # to write over it would be to forget
    if held is None:
        known = said.first_seen(new.size, new.head, handed.past)
    else:
        before = known_past(site, held[0])
        was = held[1]
        at = said.another_past(before, new.size, new.head, handed.past, handed.held)
        if at is not None:
            doubt(site, card.name, (was, data))
            return f"event {at} of two checkpoints differs. {two_pasts(card.name)}"
        if new.size <= held[0].size:
            return None
        known = before.with_newer(new.size, new.head, handed.past)
    # the checkpoint first: a note without it, after a kill in between, would be of another time and
    # say nothing
    replace_file(private_folder(site.path / "checkpoints") / card.name, handed.checkpoint)
    keep_past(site, card.name, known)
    return None


def note_witnessed(site: Site, cohort: Iterable[str]) -> list[str]:
    """Write the newest checkpoints of a study's other participants into this hospital's own ledger.

    Returns:
        Lines for the owner's log, as :func:`collect`.
    """
    lines = []
    cards = hospitals_of(site)
    for name in cohort:
        try:
            held = None
            if name in cards:
                held = kept(site, cards[name])
            if held is not None:
                site.ledger.witness(held[0])
        except (UnreadableError, UntrustedError) as error:
            lines.append(str(error))
    return lines


def answer_questions(
    site: Site,
    answered: Answered,
    names: Collection[str] | None = None,
) -> list[str]:
    """Answer every hospital of this site's list that asks, each question once, ever. ``answered``:
    what was answered before. ``names``: who is looked at; everybody unless said.

    It is given what is kept as it is, also where its present card cannot check it: its own ledger
    knows all its keys.

    Returns:
        Lines for the owner's log, about what is kept and cannot be given.

    Raises:
        StoreError: the store is away.
    """
    lines = []
    doubts = doubted(site, hospitals_of(site))
    for name, card in hospitals_of(site).items():
        if name in doubts or (names is not None and name not in names):
            continue
        theirs = PartyBoard(site.board, name)
        read = partial(said.Ask.open, site=name, verify=card.verify)
        ask = theirs.checkpoint_question.read_as(read)
        if ask is None:
            continue
        try:
            if answered.has(name, ask.nonce):
                continue
            held = _stored(site, name)
        except UnreadableError as error:
            lines.append(str(error))  # "nothing" would be a lie
        else:
            answer = said.Held(
                site.name,
                name,
                ask.nonce,
                held or b"",
            ).dump(site.identity.sign)
            sealed = card.seal(answer, said.held_info(name, site.name))
            theirs.checkpoint_answer(site.name).post(sealed)
            answered.add(name, ask.nonce)
    return lines


@dataclass
class Question:
    """This hospital's question in one run of its agent, and who has answered it.

    Args:
        say: writes a line to the owner's own log.
        nonce: used once; fresh for each run.
    """

    say: Callable[[str], None]
    nonce: str = field(default_factory=lambda: secrets.token_hex(32))
    _asked: bool = False
    _looked_at_all: bool = False
    #: Marks of questions that were answered.
    _settled: set[str] = field(default_factory=set)
    _agreed: set[str] = field(default_factory=set)
    #: Those that gave back what this ledger does not know. None of them may be the one that rule 3
    #: lets be silent.
    _disputing: set[str] = field(default_factory=set)
    _answered: Answered | None = None
    _told: set[str] = field(default_factory=set)
    _cohorts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def turn(self, site: Site, running: Iterable[tuple[str, tuple[str, ...]]] = ()) -> None:
        """Ask, answer, listen, and keep what others handed over. Call it again and again.

        Args:
            site: this hospital.
            running: (digest, cohort) of the studies at work.

        Raises:
            LedgerAlteredError: the ledger lacks a past that others hold; nothing may run.
            StoreError: the store is away.
        """
        if not self._asked:
            question = said.Ask(site.name, self.nonce).dump(site.identity.sign)
            PartyBoard(site.board, site.name).checkpoint_question.post(question)
            said.mark_asked(site.board, site.name, self.nonce)
            self._asked = True
        if self._answered is None:
            self._answered = Answered(site.path)
        asking = self._asking(site, self._answered) if self._looked_at_all else None
        for line in answer_questions(site, self._answered, asking):
            self._tell(line)
        self._looked_at_all = True
        for digest, cohort in running:
            for line in collect(site, digest, cohort):
                self._tell(line)
        for name, card in hospitals_of(site).items():
            if name not in self._agreed:
                self._listen(site, card)

    def _asking(self, site: Site, answered: Answered) -> set[str]:
        """Hospitals whose marks are not those of questions that were answered: one listing."""
        asking = set()
        for mark in said.marks_of_asked(site.board):
            name, _, digits = mark.rpartition(".")
            if mark in self._settled or name == site.name:
                continue
            if answered.has_mark(name, digits):
                self._settled.add(mark)
            else:
                asking.add(name)
        return asking

    def agreed(self, site: Site, cohort: Iterable[str]) -> bool:
        """True when all have answered this run's question whose answer a study with ``cohort`` needs
        (:mod:`~securefl.node.holders`).

        Says once in the log for whom it waits, and what to do.
        """
        others, doubts, named, unknown = self._missing(site, cohort)
        for name in doubts:
            self._tell(str(two_pasts(name)))
        for name in named:
            line = f"waiting for {name} to say which checkpoint of this hospital's ledger it holds"
            if name not in others:
                line += (
                    "; it may hold one from an earlier study. If it is gone for good: securefl"
                    f" site checkpoint {name} --without"
                )
            self._tell(line)
        if unknown:
            self._tell(
                f"waiting for all but {MAY_BE_SILENT} of {', '.join(unknown)} to say which"
                " checkpoint of this hospital's ledger they hold: were this ledger a restored one,"
                " they might know of studies that it has forgotten. Where one is gone for good:"
                " securefl site checkpoint NAME --without"
            )
        return not (named or unknown or doubts)

    def unheard(self, site: Site, cohort: Iterable[str]) -> str:
        """Line for the owner's screen: whose word a study with ``cohort`` waits for; empty when all
        have answered.
        """
        _, doubts, named, unknown = self._missing(site, cohort)
        said = []
        if doubts:
            names = ", ".join(doubts)
            said.append(f"an end of the doubt about {names}, whose ledger has shown two pasts")
        if named:
            said.append(f"the word of {', '.join(named)} on this ledger's checkpoints")
        if unknown:
            said.append(
                f"the word of all but {MAY_BE_SILENT} of {', '.join(unknown)} on this ledger's"
                " checkpoints"
            )
        return "; and ".join(said)

    def _missing(
        self, site: Site, cohort: Iterable[str]
    ) -> tuple[tuple[str, ...], list[str], list[str], list[str]]:
        """The other participants; those in doubt; those whose answer is needed; those of whom all
        but one must answer.
        """
        others = tuple(name for name in cohort if name != site.name)
        known = known_holders(site, self._cohorts) | self._disputing
        named, unknown = still_silent(
            hospitals_of(site), known, self._agreed, excused(site), others
        )
        return others, list(doubted(site, others)), named, unknown

    def _tell(self, line: str) -> None:
        """Say a line once in a run: the same is found at every turn."""
        if line not in self._told:
            self._told.add(line)
            self.say(line)

    def _listen(self, site: Site, card: IdentityCard) -> None:
        sealed = PartyBoard(site.board, site.name).checkpoint_answer(card.name).read_as(bytes)
        if sealed is None:
            return
        try:
            data = site.identity.unseal(sealed, said.held_info(site.name, card.name))
            answer = said.Held.open(
                data,
                sender=card.name,
                site=site.name,
                holder=card.name,
                verify=card.verify,
            )
        except SecureFLError:
            return
        try:
            # an answer to an earlier question is this hospital's own signed word all the same
            held = None
            if answer.checkpoint:
                held = site.ledger.read_own(answer.checkpoint)
        except UntrustedError as error:
            # a genuine one too, where the ledger was put back and its keys replaced after that: its
            # owner has to say which
            self._disputing.add(card.name)
            self._tell(_by_a_replaced_key(card.name, site.name, error))
            return
        except MessageError:
            self._disputing.add(card.name)
            self._tell(
                f"{card.name} holds a checkpoint in this hospital's name that no key of this ledger"
                " signed. Either this ledger is an older copy: put the newest one back. Or this"
                f" hospital began anew: then ask {card.name} to move its file"
                f" checkpoints/{site.name} away."
            )
            return
        if held is not None:
            replace_file(
                private_folder(site.path / "checkpoints" / "returned") / card.name,
                answer.checkpoint,
            )
            if not site.ledger.contains(held):
                raise LedgerAlteredError(
                    f"{card.name} holds a checkpoint of this ledger with {held.size} events, which"
                    " this ledger does not contain: it was cut, restored or rewritten.",
                    next_step=(
                        "Run nothing: approvals that were used could be used again. Put the newest"
                        " ledger back, or make a new site with new keys."
                    ),
                )
        if answer.nonce == self.nonce:
            self._agreed.add(card.name)
            heard_again(site, card.name)


def _by_a_replaced_key(holder: str, site: str, error: UntrustedError) -> str:
    """A line for the owner's log: both ways in which such a checkpoint comes about, and what
    settles each.
    """
    return (
        f"waiting for {holder}, which holds a checkpoint that this ledger does not know."
        f" {error.what} Was this hospital's folder ever put back from a backup? Then this ledger"
        " has forgotten approvals and spending: run nothing, and put the newest ledger back, with"
        " its keys. If it is the ledger that has always run here, somebody has a copy of the old"
        f" keys: telephone {holder}, have it move its file checkpoints/{site} away, and start this"
        f" agent again; for studies without {holder}: securefl site checkpoint {holder} --without"
    )
