"""Nouns of a study: what its parties and subjects are called, where they are not hospitals and patients.

Sentences of securefl are written of hospitals and patients. A study of banks says so in ``[words]``,
and each text is said in its nouns when it is shown (:meth:`Words.say`). Names of columns, files,
options and keys of the study file stay as they are.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import StringConstraints, model_validator

from securefl.study.fields import Fault, Section

Noun = Annotated[str, StringConstraints(pattern=r"^[a-z]{3,20}$")]

#: Words that mean something else on the pages on which an owner decides.
TAKEN: Final = frozenset(
    """
    aggregator all any approval attempt audit both budget chance charge column coordinator digest each
    epsilon every figure key ledger list model money neither nobody noise none nothing number owner
    part record release request researcher round row server some stage store study sum table they
    value who you
    """.split()  # noqa: SIM905 - a list of words reads as words
)
#: Field → the noun of ours that is the other one's.
_CROSSED: Final = {
    "participant": "patient",
    "participants": "patients",
    "subject": "hospital",
    "subjects": "hospitals",
}
#: A noun of ours in a sentence, with the article before it. Left alone are names: what stands in
#: quotes or paths, what begins like an option, what is joined by a hyphen (but "per-patient").
_FOUND: Final = re.compile(
    r"(?:(?<=\bper-)|(?<![\w/\\.=\"'`-]))(?:([Aa])( ))?([Hh]ospital|[Pp]atient)(s?)"
    r"(?![\w/\\=\"`-]|\.\w|'(?!s\b|\W|$))"
)
#: Letters that are spoken as a vowel; a "u" as in "union" is not.
_VOWEL: Final = re.compile(r"(?!uni|use|eu|one)[aeiou]")


class Words(Section):
    """Table ``[words]``: singular nouns, and plurals where a rule does not make them.

    >>> Words(participant="bank", subject="customer").say("A hospital has patients.")
    'A bank has customers.'
    """

    participant: Noun = "hospital"
    participants: Noun | None = None
    subject: Noun = "patient"
    subjects: Noun | None = None

    @model_validator(mode="after")
    def _nouns(self) -> Self:
        said = set()
        for name, other in _CROSSED.items():
            noun = getattr(self, name)
            if noun == other:
                raise Fault(f'"{noun}" is the other one of the two; take another noun', name)
            if noun in TAKEN or noun in said:
                raise Fault(f'"{noun}" means something else on a page; take another noun', name)
            if noun is not None:
                said.add(noun)
        return self

    @property
    def usual(self) -> bool:
        """True for hospitals and patients."""
        return self == Words()

    def say(
        self,
        text: str,
    ) -> str:
        """The text in these nouns; its capitals, articles and names are kept.

        >>> words = Words(participant="insurer", subject="person", subjects="people")
        >>> words.say("Each patient of a hospital: see patients.csv, or give --hospital NAME.")
        'Each person of an insurer: see patients.csv, or give --hospital NAME.'
        """
        if self.usual:
            return text
        return _FOUND.sub(self._said, text)

    def _said(
        self,
        found: re.Match[str],
    ) -> str:
        article, blank, ours, many = found.groups()
        noun = self._noun(ours.lower(), many=bool(many))
        if article and _VOWEL.match(noun):
            article += "n"
        if ours[0].isupper():
            noun = noun[0].upper() + noun[1:]
        return f"{article or ''}{blank or ''}{noun}"

    def _noun(
        self,
        ours: str,
        *,
        many: bool,
    ) -> str:
        one = self.participant
        more = self.participants
        if ours == "patient":
            one = self.subject
            more = self.subjects
        if not many:
            return one
        return more or plural_of(one)


#: Of parties and subjects that no study gave other names.
USUAL: Final = Words()


def plural_of(noun: str) -> str:
    """A noun's regular plural.

    >>> plural_of("bank"), plural_of("agency"), plural_of("branch")
    ('banks', 'agencies', 'branches')
    """
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun}s"
