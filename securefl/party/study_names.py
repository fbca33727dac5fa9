"""Which study a person means: by its id, its name on the pages, its digest, or a beginning of one.

A name on the pages is the study's id and the first twelve digits of its digest. An id may be the
beginning of another ("surgery-3", "surgery-30d"), so an exact id wins; and a decision is never
taken on the beginning of a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Fewer digits of a digest are too easily typed by mistake.
LEAST_DIGITS = 6
_DIGITS = 12
_DIGEST = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")


def short_name(study_id: str, digest: str) -> str:
    """The name on the pages.

    >>> short_name("surgery-3", "c0ffee" * 10 + "c0ff")
    'surgery-3-c0ffeec0ffee'
    """
    return f"{study_id}-{digest[:_DIGITS]}"


def meant(typed: str, digests: Mapping[str, str], *, deciding: bool = False) -> tuple[str, ...]:
    """The names that fit what was typed, in their order; what fits better hides what fits worse.

    In this order: the whole name or digest; the whole id; the id and a beginning of the digest, or
    that beginning alone (six digits or more); and, where nothing is decided, any beginning of a
    name.

    Args:
        typed: by a person.
        digests: name on the pages → digest in hex, of all studies there are.
        deciding: something follows that cannot be undone: the beginning of a name is not enough.

    >>> there = {"surgery-3-aaaaaaaaaaaa": "a" * 64, "surgery-30d-bbbbbbbbbbbb": "b" * 64}
    >>> meant("surgery-3", there), meant("surgery", there)
    (('surgery-3-aaaaaaaaaaaa',), ('surgery-3-aaaaaaaaaaaa', 'surgery-30d-bbbbbbbbbbbb'))
    >>> meant("surgery-30", there, deciding=True), meant("bbbbbb", there, deciding=True)
    ((), ('surgery-30d-bbbbbbbbbbbb',))
    """
    ids = {name: name[: -_DIGITS - 1] for name in digests}
    rules = (
        lambda name: typed in {name, digests[name]},
        lambda name: typed == ids[name],
        lambda name: _names_digest(typed, ids[name], digests[name]),
        lambda name: not deciding and name.startswith(typed),
    )
    for fits in rules:
        found = tuple(name for name in digests if fits(name))
        if found:
            return found
    return ()


def _names_digest(typed: str, study_id: str, digest: str) -> bool:
    part = typed.removeprefix(f"{study_id}-")
    return _DIGEST.fullmatch(part) is not None and digest.startswith(part)


def fit_words(count: int, one: str, many: str, typed: str) -> str:
    """How many fit, as a sentence.

    >>> fit_words(2, "request", "requests", "sur"), fit_words(0, "study", "studies", "x")
    ("2 requests fit 'sur'.", "No study fits 'x'.")
    """
    if count == 0:
        return f"No {one} fits '{typed}'."
    return f"{count} {one if count == 1 else many} {'fits' if count == 1 else 'fit'} '{typed}'."
