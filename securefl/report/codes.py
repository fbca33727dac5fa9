"""Public codes and states as words.

What others may be told of a failure is one of a fixed list, and a person reads a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a party's public code means to the others, after its name; details stay with that party
#: (rule 1).
CODE_WORDS: Final = {
    "waiting": "has not decided yet",
    "approved": "approved",
    "new-keys": "has new keys since the study was made, and cannot approve it",
    "not-approved": "refused, or its approval does not hold",
    "withdrawn": "withdrew",
    "cancelled": "cancelled the study before it began",
    "round": "ended its part: a round could not be completed",
    "left-out": "ended its part: the others went on without it",
    "data": "ended its part: its table does not fit the study",
    "budget": "ended its part: too little of its budget is left",
    "store": "ended its part: the store could not be reached",
    "message": "ended its part: it refused what it was sent",
    "study-invalid": "ended its part: the study cannot run there, or its time is over",
    "untrusted": "ended its part: it does not trust a key of the study",
    "ledger": "ended its part: its ledger does not hold",
    "ended": "ended its part, since another party had",
    "two-copies": "ended its part: another copy of this hospital runs",
    "rule-broken": "ended its part: the coordinator went another way than the study's rule",
    "over": "had approved; the study is over",
}
#: What a hospital's datasite shows for a request (:data:`securefl.datasite.models.Status`), after
#: "its datasite: ".
SHOWN_WORDS: Final = {
    "sent": "has not taken it in yet",
    "pending": "waits for the owner",
    "approved": "approved",
    "rejected": "refused",
    "running": "runs",
    "done": "completed",
    "failed": "ended before it was complete",
}

#: How a hospital takes requests, on its own pages.
WITH_PYSYFT: Final = "through its PySyft datasite"
WITHOUT_PYSYFT: Final = "signed, from the store, without PySyft"

#: In place of what the others decided.
UNSEEN: Final = "What the others decided cannot be seen now: the store does not answer."


def code_words(code: str) -> str:
    """The code as words that follow a party's name.

    >>> code_words("withdrawn"), code_words("internal")
    ('withdrew', 'ended its part')
    """
    return CODE_WORDS.get(code, "ended its part")


def others_sentence(approved: Sequence[str], waiting: Sequence[str]) -> str:
    """Decisions of the other hospitals so far, where none of them said no.

    >>> others_sentence(["Nord"], ["Mitte", "West"])
    'Nord approved. Mitte, West: nothing decided yet.'
    """
    if not approved:
        return "No other hospital has approved yet."
    said = f"{', '.join(approved)} approved."
    if waiting:
        said += f" {', '.join(waiting)}: nothing decided yet."
    return said


def cannot_run_sentence(ended: Mapping[str, str]) -> str:
    """The reason why a study that needs every approval cannot start any more.

    Args:
        ended: party → the public code that it signed.

    >>> cannot_run_sentence({"Sued": "withdrawn", "Nord": "budget"})
    'It cannot run any more: Sued withdrew; Nord ended its part: too little of its budget is left.'
    """
    return (
        "It cannot run any more:"
        f" {'; '.join(f'{name} {code_words(code)}' for name, code in ended.items())}."
    )
