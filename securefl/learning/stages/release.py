"""A release: one noised list of integers that leaves each hospital in each of its rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.privacy.charges import Charge

if TYPE_CHECKING:
    from securefl.privacy.mechanisms import Mechanism


@dataclass(frozen=True)
class Words:
    """A release in words, for people.

    Attributes:
        label: its name in a table of charges ("training").
        leaves: what the numbers are, for the owner ("how the model should change, ...").
        used: what a patient is used for ("to train the model").
        when: when it leaves ("once, at the end"); empty where it is said by the number of rounds.
        round: its round in a line on a run ("count of patients"); empty where rounds are counted.
        noun: what one of its rounds is called, where they are counted.
    """

    label: str
    leaves: str
    used: str
    when: str = ""
    round: str = ""
    noun: str = "round"


@dataclass(frozen=True)
class Release:
    """What is released, at what price, and how it travels. All of it is public and fixed
    beforehand.

    Attributes:
        kind: its word on the wire, in the ledger and in audits (lower-case letters and hyphens).
        rounds: number of rounds in which it leaves; :meth:`Stage.schedule` says which.
        mechanism: of one round, and so its charge: mechanism and price are one object.
        length: integers from each hospital in a round.
        bound: the largest of them before noise that is planned for: a count, or steps of the wire.
        bits: of a field of the encrypted sum, sign included.
        aside: whether it is about patients kept aside from training.
        words: the same for people.
    """

    kind: str
    rounds: int
    mechanism: Mechanism
    length: int
    bound: int
    bits: int
    aside: bool
    words: Words

    @property
    def charge(self) -> Charge:
        """Everything of it in one attempt."""
        whole = self.mechanism.with_count(self.mechanism.count * self.rounds)
        return Charge(self.kind, whole, aside=self.aside, label=self.words.label)
